"""How calls end: the numbers that need no set-up, and what a test scripts."""

from __future__ import annotations

from typing import Any

import pytest
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import Ending, TwilioSimulator
from tests.integration.simulator.wire import TWIML, Wire

DETECT = {"MachineDetection": "DetectMessageEnd"}
ENABLE = {"MachineDetection": "Enable"}


@pytest.mark.parametrize(
    ("number", "form", "status", "answered_by", "duration"),
    [
        ("+15005550006", {}, "completed", None, "8"),
        ("+15005550006", DETECT, "completed", "human", "12"),
        ("+14155551234", {}, "completed", None, "8"),
        ("+15005551000", ENABLE, "completed", "human", "12"),
        ("+15005551001", {}, "completed", None, "1"),
        ("+15005551002", {}, "completed", None, "8"),
        ("+15005551002", {"Timeout": "30"}, "no-answer", None, "0"),
        ("+15005551003", {}, "completed", None, "600"),
        ("+15005551003", {"TimeLimit": "60"}, "completed", None, "60"),
        ("+15005551100", {}, "busy", None, "0"),
        ("+15005551101", {}, "no-answer", None, "0"),
        ("+15005551102", {}, "no-answer", None, "0"),
        ("+15005551103", {}, "busy", None, "0"),
        ("+15005551104", {}, "canceled", None, "0"),
        ("+15005551105", {}, "queued", None, None),
        ("+15005551106", {}, "busy", None, "0"),
        ("+15005551107", {}, "no-answer", None, "0"),
        ("+15005551108", DETECT, "completed", "machine_end_beep", "18"),
        ("+15005551200", {}, "completed", None, "8"),
        ("+15005551200", ENABLE, "completed", "machine_start", "12"),
        ("+15005551200", DETECT, "completed", "machine_end_beep", "18"),
        ("+15005551200", {**DETECT, "MachineDetectionTimeout": "5"}, "completed", "unknown", "13"),
        ("+15005551200", {**DETECT, "SendDigits": "1"}, "completed", None, "8"),
        ("+15005551200", {**DETECT, "AsyncAmd": "true"}, "completed", None, "8"),
        ("+15005551200", {**ENABLE, "AsyncAmd": "true"}, "completed", "machine_start", "8"),
        ("+15005551201", DETECT, "completed", "machine_end_silence", "18"),
        ("+15005551202", DETECT, "completed", "machine_end_other", "18"),
        ("+15005551203", DETECT, "completed", "fax", "11"),
        ("+15005551204", DETECT, "completed", "unknown", "12"),
        ("+15005551300", {}, "failed", None, "0"),
        ("+15005551301", {}, "failed", None, "0"),
        ("+15005551302", {}, "failed", None, "0"),
        ("+15005551303", {}, "failed", None, "0"),
        ("+15005551304", {}, "failed", None, "0"),
    ],
)
def test_a_number_ends_its_calls_as_documented(
    wire: Wire,
    twilio_simulator: TwilioSimulator,
    number: str,
    form: dict[str, str],
    status: str,
    answered_by: str | None,
    duration: str | None,
) -> None:
    sid = wire.create(To=number, **form).json()["sid"]
    twilio_simulator.skip(1000)

    call = wire.call(sid)

    assert (call["status"], call["answered_by"], call["duration"]) == (status, answered_by, duration)


@pytest.mark.parametrize(
    ("number", "first", "second"),
    [("+15005551106", "busy", "completed"), ("+15005551107", "no-answer", "completed")],
)
def test_some_numbers_are_reached_at_every_second_call(
    wire: Wire, twilio_simulator: TwilioSimulator, number: str, first: str, second: str
) -> None:
    for _ in range(4):
        wire.create(To=number)
    twilio_simulator.skip(1000)

    assert [call["status"] for call in twilio_simulator.calls] == [first, second, first, second]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+15005551300", "13224"),
        ("+15005551301", "13227"),
        ("+15005551302", "32205"),
        ("+15005551303", "21215"),
    ],
)
def test_a_failed_call_says_why_in_its_notifications(
    client: Client, twilio_simulator: TwilioSimulator, number: str, code: str
) -> None:
    call = client.calls.create(to=number, from_="+15005559000", twiml=TWIML)
    twilio_simulator.wait_for(call.sid, "failed")

    (notification,) = client.calls(call.sid).notifications.list()

    assert (notification.error_code, notification.log, notification.call_sid) == (code, "0", call.sid)
    assert notification.message_text


def test_a_call_can_fail_without_saying_why(client: Client, twilio_simulator: TwilioSimulator) -> None:
    call = client.calls.create(to="+15005551304", from_="+15005559000", twiml=TWIML)
    twilio_simulator.wait_for(call.sid, "failed")

    assert client.calls(call.sid).notifications.list() == []


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("busy", "busy"),
        ("rejected", "no-answer"),
        ("failed:32205", "failed"),
        ({"outcome": "human", "talk": 3}, "completed"),
        (Ending(outcome="late", ring=61), "no-answer"),
    ],
)
def test_any_number_can_be_scripted(
    wire: Wire, twilio_simulator: TwilioSimulator, ending: Any, status: str
) -> None:
    twilio_simulator.script("+14155551234", ending)
    wire.create(To="+14155551234")
    twilio_simulator.skip(100)

    assert [call["status"] for call in twilio_simulator.calls] == [status]


def test_a_script_for_every_number_leaves_the_documented_ones_alone(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    twilio_simulator.script("*", "busy")
    wire.create(To="+14155551234")
    wire.create(To="+15005551101")
    twilio_simulator.skip(100)

    assert [call["status"] for call in twilio_simulator.calls] == ["busy", "no-answer"]


def test_a_list_gives_each_call_its_ending_and_the_last_stays(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    twilio_simulator.script("client:alice", ["busy", "failed", "human"])
    for _ in range(4):
        wire.create(To="client:alice")
    twilio_simulator.skip(100)

    assert [call["status"] for call in twilio_simulator.calls] == ["busy", "failed", "completed", "completed"]


@pytest.mark.parametrize("ending", ["buzy", "busy:13227", {"outcome": "busy", "rings": 3}, []])
def test_an_ending_that_does_not_exist_is_refused(twilio_simulator: TwilioSimulator, ending: Any) -> None:
    with pytest.raises(ValueError):
        twilio_simulator.script("+14155551234", ending)


def test_a_call_lives_through_every_status_in_order(
    client: Client, twilio_simulator: TwilioSimulator
) -> None:
    twilio_simulator.clock.speed = 10
    sid = client.calls.create(to="+15005551003", from_="+15005559000", twiml=TWIML).sid
    ringing = twilio_simulator.wait_for(sid, "ringing")
    talking = twilio_simulator.wait_for(sid, "in-progress")
    twilio_simulator.skip(600)
    over = twilio_simulator.wait_for(sid)

    assert (ringing["status"], ringing["end_time"], ringing["duration"]) == ("ringing", None, "0")
    assert (talking["status"], talking["start_time"]) == ("in-progress", ringing["start_time"])
    assert over["status"] == "completed"


def test_the_price_arrives_after_the_end(client: Client, twilio_simulator: TwilioSimulator) -> None:
    sid = client.calls.create(to="+15005551003", from_="+15005559000", twiml=TWIML).sid
    twilio_simulator.skip(1000)

    assert client.calls(sid).fetch().price == "-0.13000"


def test_an_unanswered_call_costs_nothing(client: Client, twilio_simulator: TwilioSimulator) -> None:
    sid = client.calls.create(to="+15005551100", from_="+15005559000", twiml=TWIML).sid
    twilio_simulator.skip(1000)

    assert client.calls(sid).fetch().price is None


def test_one_call_leaves_the_queue_in_a_second() -> None:
    with TwilioSimulator() as simulator:
        wire = Wire(simulator)
        for _ in range(4):
            wire.create()
        simulator.skip(100)

        waited = [int(call["queue_time"]) for call in simulator.calls]

    assert waited[0] == 0
    assert 2000 <= waited[3] <= 3000


def test_a_call_waits_its_turn_while_one_is_dialed() -> None:
    with TwilioSimulator(speed=0.001) as slow:
        wire = Wire(slow)
        sids = [wire.create().json()["sid"] for _ in range(2)]
        slow.wait_for(sids[0], "ringing")

        second = wire.call(sids[1])

    assert (second["status"], second["start_time"], second["queue_time"]) == ("queued", None, "0")


def test_more_calls_a_second_can_be_bought() -> None:
    with TwilioSimulator(speed=0.001, calls_per_second=5000) as fast:
        wire = Wire(fast)
        sids = [wire.create().json()["sid"] for _ in range(3)]

        assert [fast.wait_for(sid, "ringing")["status"] for sid in sids] == ["ringing"] * 3
