"""The trigger against the simulator: one event for one call, through transient errors, and a loop left free."""

from __future__ import annotations

import asyncio
import json
import time
from importlib import import_module
from typing import Any

import pytest

from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from airflow_provider_twiliocall.triggers import twilio_call
from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger
from airflow_provider_twiliocall.twilio.params import CreateCallParams

try:
    from airflow.sdk.serde import deserialize, serialize
except ImportError:  # Airflow 3.1
    from airflow.serialization.serde import deserialize, serialize

VARIABLE = "AIRFLOW_CONN_TWILIO_DEFAULT"
ANSWERS = "+15005551000"
TALKS_LONG = "+15005551003"
STAYS_QUEUED = "+15005551105"
UNKNOWN_SID = "CA" + "0" * 32
SHORTEST_DEFERRAL_S = twilio_call.SHORTEST_DEFERRAL_S

# No test waits that long: a trigger that hangs ends here, however busy the machine is.
BOUND = 600
TICK = 0.01


@pytest.fixture(autouse=True)
def connection(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    monkeypatch.setattr(twilio_call, "SHORTEST_DEFERRAL_S", 0)


def placed(to: str = ANSWERS) -> str:
    return TwilioCallHook().create_call(CreateCallParams(to=to, twiml="<Response/>")).sid


def finished(simulator: TwilioSimulator) -> str:
    sid = placed()
    simulator.wait_for(sid)
    return sid


def trigger(sid: str, **arguments: Any) -> TwilioCallTrigger:
    return TwilioCallTrigger(
        **{"twilio_conn_id": "twilio_default", "call_sid": sid, "poll_interval": 0.02} | arguments
    )


async def fired(waiting: TwilioCallTrigger) -> list[dict[str, Any]]:
    async def all_of_them() -> list[dict[str, Any]]:
        return [event.payload async for event in waiting.run()]

    return await asyncio.wait_for(all_of_them(), BOUND)


def payload_of(waiting: TwilioCallTrigger) -> dict[str, Any]:
    [payload] = asyncio.run(fired(waiting))
    return payload


# The event -----------------------------------------------------------------------------------------------------


def test_call_that_ends_fires_once_with_the_whole_call() -> None:
    sid = placed()
    [payload] = asyncio.run(fired(trigger(sid)))
    assert (payload["phase"], payload["call_sid"], payload["reason"]) == ("wait", sid, "completed")
    assert payload["why"] is None
    # Its price comes seconds later, and may have come by now.
    assert payload["call"] == TwilioCallHook().get_call(sid).to_dict() | {"price": payload["call"]["price"]}
    assert payload["call"]["status"] == "completed"


def test_event_holds_no_whole_number_and_no_secret(twilio_simulator: TwilioSimulator) -> None:
    text = json.dumps(payload_of(trigger(placed())))
    assert "+1*******1000" in text
    assert ANSWERS not in text
    assert twilio_simulator.from_number not in text
    assert twilio_simulator.auth_token not in text


def test_call_that_is_over_already_fires_no_sooner_than_the_scheduler_can_bear(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio_call, "SHORTEST_DEFERRAL_S", SHORTEST_DEFERRAL_S)
    over = trigger(finished(twilio_simulator))
    started = time.monotonic()
    assert payload_of(over)["reason"] == "completed"
    assert time.monotonic() - started >= 6


def test_trigger_made_again_from_what_airflow_stored_waits_for_the_same_call(
    twilio_simulator: TwilioSimulator,
) -> None:
    sid = placed()
    path, arguments = trigger(sid, deadline=4e9, account_sid=twilio_simulator.account_sid).serialize()
    stored = json.loads(json.dumps(serialize(arguments)))
    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**deserialize(stored))
    assert again.serialize() == (path, arguments)
    assert payload_of(again)["call"]["sid"] == sid


# Ends without an end of the call -------------------------------------------------------------------------------


def test_call_that_goes_on_at_the_deadline_is_handed_on_as_it_is() -> None:
    payload = payload_of(trigger(placed(STAYS_QUEUED), deadline=time.time() + 0.2))
    assert (payload["reason"], payload["call"]["status"]) == ("overdue", "queued")
    assert payload["why"] == "it is still queued"


def test_a_transient_error_that_lasts_until_the_deadline_is_the_problem() -> None:
    payload = payload_of(trigger(UNKNOWN_SID, deadline=time.time() + 0.2))
    assert (payload["reason"], payload["call"]) == ("overdue", None)
    assert "Twilio does not know it" in payload["why"]


def test_call_that_does_not_leave_the_queue_in_time_is_canceled_while_queued(
    twilio_simulator: TwilioSimulator,
) -> None:
    payload = payload_of(
        trigger(placed(STAYS_QUEUED), queue_deadline=QueueDeadline(time.time() + 0.2).to_json())
    )
    assert (payload["reason"], payload["call"]["status"]) == ("queue timeout", "canceled")
    assert twilio_simulator.calls[0]["status"] == "canceled"


def test_a_hundred_calls_are_canceled_while_queued_at_once_and_nobody_has_to_be_woken_for_it(
    twilio_simulator: TwilioSimulator,
) -> None:
    sids = [placed(STAYS_QUEUED) for _ in range(100)]
    closing = QueueDeadline(time.time() + 0.5, Reason.WINDOW_CLOSED).to_json()

    async def all_of_them() -> list[list[dict[str, Any]]]:
        return await asyncio.gather(
            *(fired(trigger(sid, poll_interval=3600, queue_deadline=closing)) for sid in sids)
        )

    reasons = [payload["reason"] for [payload] in asyncio.run(all_of_them())]
    assert reasons == ["window closed"] * 100
    assert {call["status"] for call in twilio_simulator.calls} == {"canceled"}


def test_a_trigger_may_wait_for_no_more_than_that_the_call_leaves_the_queue() -> None:
    payload = payload_of(
        trigger(placed(TALKS_LONG), awaits="ring", queue_deadline=QueueDeadline(time.time() + 3600).to_json())
    )
    assert payload["reason"] == "left queue"
    assert payload["call"]["status"] in ("ringing", "in-progress")


def test_wrong_credentials_end_the_wait(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sid = placed()
    wrong = json.loads(twilio_simulator.airflow_connection) | {"password": "not-the-token"}
    monkeypatch.setenv(VARIABLE, json.dumps(wrong))
    payload = payload_of(trigger(sid))
    assert payload["reason"] == "unknown"
    assert "Check login" in payload["why"]
    assert "not-the-token" not in json.dumps(payload)


def test_missing_connection_is_waited_for_until_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    sid = placed()
    monkeypatch.delenv(VARIABLE)
    payload = payload_of(trigger(sid, deadline=time.time() + 0.2))
    assert (payload["reason"], payload["call"], payload["is_for_a_person"]) == ("overdue", None, True)
    assert "There is no connection 'twilio_default'" in payload["why"]


# Transient errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="not-found", times=3),
        Fault(kind="status", status=429, operations={"get"}),
        Fault(kind="status", status=429, headers={"Retry-After": "1"}, operations={"get"}),
        Fault(kind="status", status=400, code=20429, headers={"Retry-After": "1"}, operations={"get"}),
        Fault(kind="status", status=503, operations={"get"}),
        Fault(kind="drop", operations={"get"}),
        Fault(kind="cut", operations={"get"}),
        Fault(kind="html", operations={"get"}),
        Fault(kind="html", status=200, operations={"get"}, times=3),
        Fault(kind="truncated", operations={"get"}, times=3),
        Fault(kind="stale", times=3),
        Fault(kind="delay", seconds=0.3, operations={"get"}),
    ],
    ids=lambda fault: f"{fault.kind.value}-{fault.status}-{fault.headers}",
)
def test_a_transient_error_is_waited_out(twilio_simulator: TwilioSimulator, fault: Fault) -> None:
    sid = finished(twilio_simulator)
    twilio_simulator.inject(fault)
    payload = payload_of(trigger(sid))
    assert (payload["reason"], payload["call"]["status"]) == ("completed", "completed")
    assert [struck["struck"] for struck in twilio_simulator.faults] == [fault.times]


def test_a_transient_error_that_outlasts_the_clients_own_patience_is_waited_out(
    twilio_simulator: TwilioSimulator,
) -> None:
    sid = finished(twilio_simulator)
    twilio_simulator.inject(Fault(kind="status", status=503, operations={"get"}, times=6))
    assert payload_of(trigger(sid))["reason"] == "completed"


# The event loop and the log ------------------------------------------------------------------------------------


@pytest.mark.alone
def test_loop_is_left_free_while_twilio_takes_its_time(twilio_simulator: TwilioSimulator) -> None:
    sid = finished(twilio_simulator)
    twilio_simulator.inject(Fault(kind="delay", seconds=0.5, operations={"get"}))
    ticks: list[float] = []

    async def heartbeat() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(TICK)

    async def both() -> None:
        beating = asyncio.create_task(heartbeat())
        await fired(trigger(sid))
        beating.cancel()

    asyncio.run(both())
    lasted = ticks[-1] - ticks[0]
    assert lasted >= 0.45
    assert len(ticks) >= lasted / TICK / 2


def test_each_status_is_logged_once(
    twilio_simulator: TwilioSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    sid = finished(twilio_simulator)
    twilio_simulator.inject(Fault(kind="stale", times=4))
    with caplog.at_level("INFO", logger="airflow_provider_twiliocall.calls.watch"):
        payload_of(trigger(sid))
    assert caplog.messages == [f"Call {sid} is queued.", f"Call {sid} is completed."]


def test_a_transient_error_is_logged_once_and_so_is_its_end(
    twilio_simulator: TwilioSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    sid = finished(twilio_simulator)
    twilio_simulator.inject(Fault(kind="not-found", times=3))
    with caplog.at_level("INFO", logger="airflow_provider_twiliocall.calls.watch"):
        payload_of(trigger(sid))
    unseen, seen, over = caplog.messages
    assert unseen.startswith(f"Cannot see call {sid} for now, and go on waiting: ")
    assert seen == f"Call {sid} can be seen again."
    assert over == f"Call {sid} is completed."
