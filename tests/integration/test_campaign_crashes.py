"""What the next process of a campaign makes of the block that was in doubt, and what it says about it."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.twilio.client import TwilioClient
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.integration.campaign_stage import CampaignStage, MortalStore, die_at_request, number, rows
from tests.integration.ring_task import on
from tests.support.interruption import Killed

pytestmark = pytest.mark.usefixtures("connection", "real_pace")


@pytest.fixture
def dies(stage: CampaignStage, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a campaign die at a request, and hand what it has written to the next process."""

    def arrange(request_number: int, *, accepted: bool, count: int = 10, **arguments: Any) -> None:
        store = stage.store = MortalStore()
        with monkeypatch.context() as dying, pytest.raises(Killed):
            die_at_request(dying, store, request_number, accepted=accepted)
            stage.run(rows(count), **arguments)
        stage.store = store.survivor()

    return arrange


def strangers_call(stage: CampaignStage, to: str) -> str:
    """Let somebody else call the same number from the same one."""
    hook = TwilioCallHook()
    return hook.create_call(CreateCallParams(to=to, twiml="<Response/>")).sid


def test_a_row_that_ends_as_unknown_is_named_with_what_to_do(
    stage: CampaignStage, dies: Any, caplog: pytest.LogCaptureFixture
) -> None:
    dies(5, accepted=False)
    assert stage.run(rows(10))["outcomes"] == {"completed": 9, "unknown": 1}
    [told] = [record.getMessage() for record in caplog.records if "nobody can say" in record.getMessage()]
    assert told.startswith("Row 6 (id c5) to +1*******0005: ")
    assert re.search(
        r"created from [\d: -]+ to [\d: -]+ UTC\. If there is none, call this row in a run", told
    )
    assert number(5) not in caplog.text


def test_an_answer_that_is_lost_names_its_row_too(
    stage: CampaignStage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.simulator.inject(on("create", kind="drop", skip=1, times=1))
    assert stage.run(rows(3))["outcomes"] == {"completed": 2, "unknown": 1}
    assert "Row 2 (id c1) to +1*******0001: nobody can say whether it was called" in caplog.text


def test_the_wait_for_the_process_before_is_told_and_no_longer_than_it_must_be(
    stage: CampaignStage, dies: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    dies(9, accepted=True)
    assert stage.store is not None
    until = stage.store.values["twilio_campaign"]["until"]
    stage.run(rows(10))
    [told] = [record.getMessage() for record in caplog.records if "may still dial" in record.getMessage()]
    assert re.search(r"Nobody is dialled before [\d: -]+ UTC, in \d+ s", told)
    listed = next(
        request.received_at
        for request in stage.simulator.requests
        if request.operation == "list" and dict(request.query).get("To")
    )
    # The request timeout of the connection is 15 s, and Twilio may take its time to act.
    assert until + 15 <= listed <= until + 22


def test_a_strangers_call_to_a_row_that_was_called_is_not_taken_for_ours(
    stage: CampaignStage, monkeypatch: pytest.MonkeyPatch, dies: Any
) -> None:
    create, sids = TwilioClient.create_call, []

    def stranger_calls_before(client: TwilioClient, params: CreateCallParams) -> Any:
        if params.to == number(0) and not sids:
            sids.append("")
            sids[0] = strangers_call(stage, number(6))
            stage.clock.sleep(3)
        return create(client, params)

    monkeypatch.setattr(TwilioClient, "create_call", stranger_calls_before)
    dies(8, accepted=True)
    assert stage.run(rows(10), delivery="at_least_once")["outcomes"] == {"completed": 10}
    journal = str(stage.store)
    own = [call["sid"] for call in stage.simulator.calls if call["sid"] != sids[0]]
    assert sids[0] not in journal
    assert all(sid in journal for sid in own)
    assert len(own) == 10


def test_where_nobody_can_tell_which_call_is_ours_both_are_named(
    stage: CampaignStage, dies: Any, caplog: pytest.LogCaptureFixture
) -> None:
    dies(5, accepted=True)
    stage.clock.sleep(3)
    sid = strangers_call(stage, number(5))
    assert stage.run(rows(10))["outcomes"] == {"completed": 8, "unknown": 2}
    own = next(call["sid"] for call in stage.simulator.calls if call["to"] == number(5))
    assert f"It may be {own} or {sid}." in caplog.text
    assert stage.rings[number(5)] == 2


def test_two_calls_in_a_row_that_the_list_does_not_show_lose_none_behind_them(
    stage: CampaignStage, dies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies(8, accepted=True)
    list_calls = TwilioClient.list_calls
    missing = {number(3), number(4)}

    def lists(client: TwilioClient, **filters: Any) -> Any:
        return iter(()) if filters.get("to") in missing else list_calls(client, **filters)

    monkeypatch.setattr(TwilioClient, "list_calls", lists)
    # Nobody can say whether rows 4, 5 and 10 were dialled.
    assert stage.run(rows(10))["outcomes"] == {"completed": 7, "unknown": 3}
    assert set(stage.rings.values()) == {1}
