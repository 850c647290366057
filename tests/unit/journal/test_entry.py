"""An entry of the journal: which calls it is about, and that it comes back from the store as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_twiliocall.journal.entry import Entry
from airflow_provider_twiliocall.twilio.params import CreateCallParams

PARAMS = CreateCallParams(to="+15551234567", from_="+15557654321", twiml="<Response/>")
ACCOUNT, ANOTHER_ACCOUNT = "AC" + "1" * 32, "AC" + "2" * 32


def entry_for(
    params: CreateCallParams, *, account_sid: str | None = None, clock_offset: float | None = None
) -> Entry:
    return Entry.of_request(
        params,
        max_tries=2,
        account_sid=account_sid,
        clock_offset=clock_offset,
        earlier_sids=("CA" + "1" * 32,),
        step=0,
        attempts=(),
    )


def test_an_entry_travels_as_json() -> None:
    entry = entry_for(PARAMS, clock_offset=0.5)
    assert Entry.from_json(json.loads(json.dumps(entry.to_json()))) == entry


def test_the_same_numbers_are_never_written_alike() -> None:
    assert entry_for(PARAMS).digest != entry_for(PARAMS).digest


@pytest.mark.parametrize(
    "same", [{"twiml": "<Response><Hangup/></Response>"}, {"timeout": 10}, {"time_limit": 60}]
)
def test_it_is_for_a_call_between_the_same_two_whatever_is_said(same: dict[str, Any]) -> None:
    assert entry_for(PARAMS).is_for(PARAMS.replace(**same))


@pytest.mark.parametrize(
    "other", [{"to": "+15551234568"}, {"from_": "+15557654322"}, {"account_sid": "AC" + "5" * 32}]
)
def test_it_is_not_for_a_call_between_two_others(other: dict[str, Any]) -> None:
    assert not entry_for(PARAMS).is_for(PARAMS.replace(**other))


@pytest.mark.parametrize(("account_sid", "is_the_same"), [(ACCOUNT, True), (ANOTHER_ACCOUNT, False)])
def test_the_account_of_the_connection_counts_too(account_sid: str, is_the_same: bool) -> None:
    entry = entry_for(PARAMS, account_sid=ACCOUNT)
    assert entry.is_for(PARAMS, account_sid) == is_the_same
    assert entry.is_of_account(account_sid) == is_the_same


@pytest.mark.parametrize(
    ("other", "is_the_same"), [({"to": "+15551234568"}, False), ({"from_": "+15557654322"}, True)]
)
def test_the_callee_can_be_told_from_the_caller(other: dict[str, Any], is_the_same: bool) -> None:
    assert entry_for(PARAMS).is_to(PARAMS.replace(**other)) == is_the_same
