"""The control API: what a test in another process does with the simulator."""

from __future__ import annotations

import pytest
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.simulator.webhook_receiver import WebhookReceiver
from tests.integration.simulator.wire import TO, TWIML, Wire


def test_it_says_how_to_get_in(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    shown = wire.control("GET").json()

    assert (shown["account_sid"], shown["auth_token"]) == (
        twilio_simulator.account_sid,
        twilio_simulator.auth_token,
    )
    assert (shown["speed"], shown["calls_per_second"], shown["trial"]) == (100, 1, False)
    assert shown["numbers"] == [twilio_simulator.from_number]


def test_settings_change_while_it_runs_until_the_reset(wire: Wire) -> None:
    changed = wire.control("PATCH", json={"speed": 7, "calls_per_second": 2, "skew": 3}).json()
    wire.control("POST", "/reset")

    assert (changed["speed"], changed["calls_per_second"], changed["skew"]) == (7, 2, 3)
    assert wire.control("GET").json()["speed"] == 100


def test_a_number_is_scripted(wire: Wire) -> None:
    answer = wire.control(
        "POST", "/endings", json={"number": "+14155551234", "endings": ["busy", "failed:13227"]}
    )
    wire.create(To="+14155551234")
    wire.control("POST", "/skip", json={"seconds": 60})

    assert [ending["outcome"] for ending in answer.json()["+14155551234"]] == ["busy", "failed"]
    assert [call["status"] for call in wire.control("GET", "/calls").json()] == ["busy"]
    assert "+15005551100" in wire.control("GET", "/endings").json()


def test_a_number_is_scripted_with_all_of_an_ending(wire: Wire) -> None:
    body = {"number": "+14155551234", "endings": {"outcome": "human", "ring": 1, "talk": 30}}

    (ending,) = wire.control("POST", "/endings", json=body).json()["+14155551234"]

    assert (ending["ring"], ending["talk"]) == (1, 30)


@pytest.mark.parametrize("endings", ["buzy", [], {"outcome": "busy", "rings": 1}])
def test_an_ending_that_does_not_exist_is_422(wire: Wire, endings: object) -> None:
    answer = wire.control("POST", "/endings", json={"number": TO, "endings": endings})

    assert answer.status_code == 422


def test_a_number_is_bought(wire: Wire) -> None:
    wire.control("POST", "/numbers", json={"phone_number": "+14155551234"})

    assert wire.create(From="+14155551234").status_code == 201


def test_requests_are_shown(wire: Wire) -> None:
    wire.create()
    wire.get("/Calls.json")
    wire.create(TimeOut="3")

    shown = wire.control("GET", "/requests").json()

    assert [request["operation"] for request in shown] == ["create", "list", "create"]
    assert shown[0]["form"][0] == ["To", TO]
    assert [each["number"] for each in wire.control("GET", "/requests?operation=create&since=1").json()] == [
        2
    ]
    assert [each["number"] for each in wire.control("GET", "/refused").json()] == [2]


def test_a_call_is_ended(wire: Wire) -> None:
    sid = wire.create(To="+15005551105").json()["sid"]

    ended = wire.control("POST", f"/calls/{sid}/end", json={"status": "canceled"})
    again = wire.control("POST", f"/calls/{sid}/end", json={"status": "canceled"})

    assert ended.json()["status"] == "canceled"
    assert again.status_code == 400
    assert wire.control("POST", "/calls/CA0/end", json={}).status_code == 404


def test_faults_are_injected_shown_and_cleared(wire: Wire) -> None:
    first = wire.control("POST", "/faults", json={"kind": "status", "status": 503, "times": None})
    wire.control("POST", "/faults", json={"kind": "drop"})
    struck = wire.create()
    shown = wire.control("GET", "/faults").json()
    cleared = wire.control("DELETE", f"/faults/{first.json()['id']}")
    wire.control("DELETE", "/faults")

    assert (first.status_code, struck.status_code, cleared.json()) == (201, 503, {"cleared": True})
    assert [(fault["kind"], fault["struck"]) for fault in shown] == [("status", 1), ("drop", 0)]
    assert wire.create().status_code == 201


def test_a_fault_that_makes_no_sense_is_422(wire: Wire) -> None:
    assert wire.control("POST", "/faults", json={"kind": "status"}).status_code == 422
    assert wire.control("DELETE", "/faults/nothing").status_code == 404


def test_callbacks_are_shown(wire: Wire, receiver: WebhookReceiver) -> None:
    wire.create(Twiml=None, Url=f"{receiver.url}/twiml", StatusCallback=f"{receiver.url}/status")
    receiver.take(2)

    # One call's callbacks go out one after the other: the first is settled once the second has arrived.
    first = wire.control("GET", "/webhooks").json()[0]

    assert (first["url"], first["status"], first["note"]) == (f"{receiver.url}/twiml", 200, "")
    assert first["params"]["CallStatus"] == "in-progress"


def test_control_is_no_part_of_the_record(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    wire.control("GET")
    wire.control("GET", "/nothing")

    assert twilio_simulator.requests == []


def test_reset_forgets_everything(wire: Wire, client: Client, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.script("+14155551234", "busy")
    twilio_simulator.own("+14155559999")
    twilio_simulator.skip(10_000)
    client.calls.create(to=TO, from_="+15005559000", twiml=TWIML)
    wire.control("POST", "/faults", json={"kind": "drop", "times": None})

    wire.control("POST", "/reset")

    assert (twilio_simulator.calls, twilio_simulator.requests, twilio_simulator.faults) == ([], [], [])
    assert "+14155551234" not in wire.control("GET", "/endings").json()
    assert wire.control("GET").json()["numbers"] == [twilio_simulator.from_number]
    assert client.calls.list() == []
