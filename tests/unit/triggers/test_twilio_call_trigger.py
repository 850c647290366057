"""TwilioCallTrigger without Twilio: what it is made of, when it fires, and an API server that is away."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.sdk import Connection
from airflow.sdk.bases.hook import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_twiliocall.triggers.twilio_call import SHORTEST_DEFERRAL_S, TwilioCallTrigger
from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.client import TwilioClient
from tests.support.replaced_sleep import replace_sleep
from tests.support.turned_clock import TurnedClock

try:
    from airflow.sdk.serde import deserialize, serialize
except ImportError:  # Airflow 3.1
    from airflow.serialization.serde import deserialize, serialize

SID = "CA" + "1" * 32
ACCOUNT = "AC" + "a" * 32
ARGUMENTS = {
    "twilio_conn_id": "twilio_default",
    "call_sid": SID,
    "poll_interval": 2,
    "deadline": 1e9,
    "when_killed": "hang_up",
    "queue_deadline": {"at": 9e8, "reason": "window closed"},
    "timeout_at": 8e8,
    "awaits": "ring",
    "account_sid": ACCOUNT,
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    """The trigger's clock, which moves while it sleeps."""
    clock = TurnedClock().install(monkeypatch)
    replace_sleep(monkeypatch, clock.sleep)
    return clock


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twilio knows the call, and it is over."""
    connection = {"conn_type": "twilio", "login": ACCOUNT, "password": "token"}
    monkeypatch.setenv("AIRFLOW_CONN_TWILIO_DEFAULT", json.dumps(connection))
    over = Call.model_validate({"sid": SID, "status": "completed"})
    monkeypatch.setattr(TwilioClient, "get_call", lambda self, sid: over)


async def events_of(trigger: TwilioCallTrigger) -> list[TriggerEvent]:
    return [event async for event in trigger.run()]


def payload_of(trigger: TwilioCallTrigger) -> dict[str, Any]:
    [event] = asyncio.run(events_of(trigger))
    return event.payload


def test_another_triggerer_makes_the_same_trigger_again() -> None:
    path, arguments = TwilioCallTrigger(**ARGUMENTS).serialize()
    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**arguments)
    assert arguments == ARGUMENTS
    assert again.serialize() == (path, arguments)


def test_its_arguments_travel_as_airflow_stores_them() -> None:
    _, arguments = TwilioCallTrigger(**ARGUMENTS).serialize()
    assert deserialize(json.loads(json.dumps(serialize(arguments)))) == arguments


@pytest.mark.parametrize("odd", [None, "", 5, "no SID", ["list"]])
def test_its_constructor_never_raises(odd: Any) -> None:
    assert isinstance(TwilioCallTrigger(odd, odd), BaseTrigger)
    assert isinstance(TwilioCallTrigger(**dict.fromkeys(ARGUMENTS, odd)), BaseTrigger)


def test_a_call_that_is_over_at_once_fires_six_seconds_after_the_start(
    clock: TurnedClock, finished: None
) -> None:
    payload = payload_of(TwilioCallTrigger("twilio_default", SID))
    assert payload["reason"] == "completed"
    assert clock.now == SHORTEST_DEFERRAL_S == 6.0


def test_a_missing_connection_is_looked_for_until_the_deadline(clock: TurnedClock) -> None:
    payload = payload_of(TwilioCallTrigger("nowhere", SID, deadline=3600))
    assert (payload["reason"], payload["call"], payload["is_for_a_person"]) == ("overdue", None, True)
    assert "There is no connection 'nowhere'" in payload["why"]
    assert clock.now >= 3600


def test_a_missing_connection_does_not_outlast_the_tasks_own_time(clock: TurnedClock) -> None:
    payload = payload_of(TwilioCallTrigger("nowhere", SID, deadline=7200, timeout_at=600))
    assert payload["reason"] == "timed out"
    assert 600 <= clock.now < 700


def test_without_a_deadline_a_missing_connection_is_waited_for_until_it_is_there(
    clock: TurnedClock, finished: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fetch = BaseHook.aget_connection

    async def aget_connection(conn_id: str) -> Connection:
        if clock.now < 24 * 3600:
            raise AirflowNotFoundException("The conn_id `twilio_default` isn't defined")
        return await fetch(conn_id)

    monkeypatch.setattr(BaseHook, "aget_connection", staticmethod(aget_connection))
    assert payload_of(TwilioCallTrigger("twilio_default", SID))["reason"] == "completed"
    said = caplog.text.count("There is no connection 'twilio_default'")
    # Not at every look, which are 1,440, and not once and never again.
    assert said == 24 * 6


def test_a_broken_connection_ends_the_wait_instead_of_the_trigger(
    clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", json.dumps({"conn_type": "twilio", "login": "me"}))
    payload = payload_of(TwilioCallTrigger("broken", SID))
    assert payload["reason"] == "unknown"
    assert "password is empty" in payload["why"]


def test_an_api_server_that_is_away_for_a_while_is_waited_out(
    clock: TurnedClock, finished: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = BaseHook.aget_connection
    answers = iter([OSError("away"), OSError("away"), None])

    async def aget_connection(conn_id: str) -> Connection:
        fault = next(answers)
        if fault:
            raise fault
        return await fetch(conn_id)

    monkeypatch.setattr(BaseHook, "aget_connection", staticmethod(aget_connection))
    assert payload_of(TwilioCallTrigger("twilio_default", SID, poll_interval=5))["reason"] == "completed"
    assert clock.now == 10 + 20


def test_an_api_server_that_is_away_until_the_deadline_ends_the_wait_instead_of_the_trigger(
    clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def aget_connection(conn_id: str) -> Connection:
        raise OSError("away")

    monkeypatch.setattr(BaseHook, "aget_connection", staticmethod(aget_connection))
    payload = payload_of(TwilioCallTrigger("twilio_default", SID, deadline=100))
    assert payload["reason"] == "overdue"
    assert "connection 'twilio_default' could not be fetched (away)" in payload["why"]
