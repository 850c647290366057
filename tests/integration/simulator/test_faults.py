"""Faults as a client sees them: each kind on the wire, and what Twilio has done all the same."""

from __future__ import annotations

import time

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from tests.integration.simulator.wire import TO, TWIML, Wire


def test_a_status_comes_instead_of_twilios_answer(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(Fault(kind="status", status=503))

    answer = wire.create()

    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    assert twilio_simulator.calls == []
    assert wire.create().status_code == 201


def test_a_status_may_come_after_the_call_was_accepted(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(Fault(kind="status", status=500, after=True))

    assert wire.create().status_code == 500
    assert [call["to"] for call in twilio_simulator.calls] == [TO]


def test_too_many_requests_say_when_to_come_back(client: Client, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(Fault(kind="status", status=429, headers={"Retry-After": "3"}))

    with pytest.raises(TwilioRestException) as refusal:
        client.calls.create(to=TO, from_="+15005559000", twiml=TWIML)
    assert (refusal.value.status, refusal.value.code) == (429, 20429)


def test_retry_after_is_on_the_wire(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(Fault(kind="status", status=503, headers={"Retry-After": "3"}))

    assert wire.create().headers["Retry-After"] == "3"


@pytest.mark.parametrize("code", [10004, 22005, 20005])
def test_any_code_can_be_answered(wire: Wire, twilio_simulator: TwilioSimulator, code: int) -> None:
    twilio_simulator.inject(Fault(kind="status", status=400, code=code))

    assert wire.create().json()["code"] == code


@pytest.mark.parametrize("body", ["", "{}", "[1]", "nonsense"])
def test_any_body_can_be_answered(wire: Wire, twilio_simulator: TwilioSimulator, body: str) -> None:
    twilio_simulator.inject(Fault(kind="status", status=200, body=body))

    assert wire.create().text == body


def test_a_connection_dropped_before_the_call_was_accepted(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    twilio_simulator.inject(Fault(kind="drop"))

    with pytest.raises(requests.ConnectionError):
        wire.create()
    assert twilio_simulator.calls == []
    assert [(each.status, each.fault) for each in twilio_simulator.requests] == [(None, "drop")]


def test_a_connection_dropped_after_the_call_was_accepted(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    twilio_simulator.inject(Fault(kind="drop", after=True))

    with pytest.raises(requests.ConnectionError):
        wire.create()
    assert [call["to"] for call in twilio_simulator.calls] == [TO]
    assert twilio_simulator.requests[0].call_sid == twilio_simulator.calls[0]["sid"]


def test_a_connection_cut_in_the_middle_of_the_answer(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(Fault(kind="cut"))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        wire.create()
    assert len(twilio_simulator.calls) == 1


def test_half_of_the_json_as_if_it_were_all(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(Fault(kind="truncated"))

    answer = wire.create()

    assert answer.status_code == 201
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert len(twilio_simulator.calls) == 1


@pytest.mark.parametrize(("fault", "calls"), [({}, 0), ({"after": True}, 1)])
def test_a_proxys_html_page(
    wire: Wire, twilio_simulator: TwilioSimulator, fault: dict[str, bool], calls: int
) -> None:
    twilio_simulator.inject(Fault(kind="html", **fault))

    answer = wire.create()

    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")
    assert answer.text.startswith("<html>")
    assert len(twilio_simulator.calls) == calls


@pytest.mark.parametrize("after", [False, True])
def test_an_answer_may_be_late(wire: Wire, twilio_simulator: TwilioSimulator, after: bool) -> None:
    twilio_simulator.inject(Fault(kind="delay", seconds=0.2, after=after))
    started = time.monotonic()

    answer = wire.create()

    assert answer.status_code == 201
    assert time.monotonic() - started >= 0.2


def test_a_client_without_patience_does_not_see_the_call_it_placed(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    twilio_simulator.inject(Fault(kind="delay", seconds=1, after=True))

    with pytest.raises(requests.ReadTimeout):
        wire.send("POST", "/Calls.json", data={"To": TO, "From": "+15005559000", "Twiml": TWIML}, timeout=0.5)
    assert len(twilio_simulator.calls) == 1


def test_a_fresh_sid_may_be_unknown(client: Client, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(Fault(kind="not-found"))
    sid = client.calls.create(to=TO, from_="+15005559000", twiml=TWIML).sid

    with pytest.raises(TwilioRestException) as refusal:
        client.calls(sid).fetch()
    assert (refusal.value.status, refusal.value.code) == (404, 20404)
    assert client.calls(sid).fetch().sid == sid


def test_only_calls_younger_than_the_faults_seconds_are_unknown(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    twilio_simulator.inject(Fault(kind="not-found", seconds=60, times=None))
    sid = wire.create().json()["sid"]
    young = wire.get(f"/Calls/{sid}.json")
    twilio_simulator.skip(60 * 100)
    old = wire.get(f"/Calls/{sid}.json")

    assert (young.status_code, old.status_code) == (404, 200)


def test_a_status_may_be_stale(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    sid = wire.create().json()["sid"]
    twilio_simulator.skip(1000)
    twilio_simulator.inject(Fault(kind="stale"))

    stale, fresh = wire.call(sid), wire.call(sid)

    assert (stale["status"], stale["end_time"], stale["duration"]) == ("queued", None, None)
    assert fresh["status"] == "completed"


def test_a_list_may_lag(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(Fault(kind="list-lag", seconds=60))
    wire.create()

    assert wire.get("/Calls.json").json()["calls"] == []
    assert len(wire.get("/Calls.json").json()["calls"]) == 1


def test_a_fault_strikes_only_what_it_is_meant_for(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(
        Fault(kind="status", status=503, operations={"get"}, to="+15005551100", times=None)
    )
    spared = wire.create().json()["sid"]
    struck = wire.create(To="+15005551100").json()["sid"]

    assert wire.get(f"/Calls/{spared}.json").status_code == 200
    assert wire.get(f"/Calls/{struck}.json").status_code == 503
    assert wire.get(f"/Calls/{struck}/Recordings.json").status_code == 200


def test_a_fault_may_let_some_requests_through_first(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(Fault(kind="status", status=503, skip=1, times=2))

    assert [wire.get("/Calls.json").status_code for _ in range(4)] == [200, 503, 503, 200]
    assert [(fault["struck"], fault["spent"]) for fault in twilio_simulator.faults] == [(2, True)]


def test_a_fault_for_one_call_leaves_the_others_alone(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    struck, spared = wire.create().json()["sid"], wire.create().json()["sid"]
    twilio_simulator.inject(Fault(kind="status", status=500, sid=struck))

    assert wire.get(f"/Calls/{spared}.json").status_code == 200
    assert wire.get(f"/Calls/{struck}.json").status_code == 500


def test_a_cleared_fault_strikes_no_more(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    fault_id = twilio_simulator.inject(Fault(kind="drop", times=None))
    twilio_simulator.clear_faults(fault_id)

    assert wire.create().status_code == 201


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "status"},
        {"kind": "delay"},
        {"kind": "list-lag"},
        {"kind": "stale", "operations": {"create"}},
        {"kind": "explosion"},
        {"kind": "drop", "time": 3},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Fault(**fields)
