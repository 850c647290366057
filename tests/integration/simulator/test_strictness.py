"""What Twilio would ignore or misread is refused, and kept where a test can find it."""

from __future__ import annotations

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.simulator.wire import TO, TWIML, Wire


def test_an_unknown_parameter_is_refused_and_recorded(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    answer = wire.create(TimeOut="30")

    assert (answer.status_code, answer.json()["code"]) == (400, 20001)
    assert [request.refused for request in twilio_simulator.refused] == [answer.json()["message"]]
    assert "'TimeOut'" in answer.json()["message"]


@pytest.mark.parametrize("name", ["Record", "AsyncAmd"])
def test_a_python_boolean_is_refused_and_recorded(
    wire: Wire, twilio_simulator: TwilioSimulator, name: str
) -> None:
    answer = wire.create(**{name: "True"})

    assert (answer.status_code, answer.json()["code"]) == (400, 20001)
    assert [request.refused for request in twilio_simulator.refused] == [
        f"Not understood: {name}='True' is none of true, false"
    ]


def test_the_sdks_async_amd_trap_is_caught(client: Client, twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioRestException):
        client.calls.create(to=TO, from_=twilio_simulator.from_number, twiml=TWIML, async_amd=True)

    assert [dict(request.form)["AsyncAmd"] for request in twilio_simulator.refused] == ["True"]


def test_a_scalar_given_twice_is_refused(wire: Wire) -> None:
    assert wire.create(("To", TO)).json()["code"] == 20001


def test_a_list_repeats_its_name(wire: Wire) -> None:
    answer = wire.create(
        ("StatusCallbackEvent", "initiated"),
        ("StatusCallbackEvent", "completed"),
        StatusCallback="https://example.org/",
    )

    assert answer.status_code == 201


def test_json_instead_of_a_form_is_refused(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    assert wire.post("/Calls.json", json={"To": TO}).json()["code"] == 20001
    assert len(twilio_simulator.refused) == 1


@pytest.mark.parametrize("body", ["To", "To=%ff", b"To=\xff"])
def test_a_broken_form_is_refused(wire: Wire, body: str | bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    assert wire.post("/Calls.json", body, headers=headers).json()["code"] == 20001


def test_parameters_in_the_query_of_a_post_are_refused(wire: Wire) -> None:
    assert wire.post("/Calls.json", {"To": TO}, params={"Timeout": "3"}).json()["code"] == 20001


@pytest.mark.parametrize(
    "query",
    [
        {"Form": "+15005559000"},
        {"Status": "done"},
        {"StartTime": "yesterday"},
        {"StartTime>": "2026-13-01"},
        {"PageSize": "0"},
        {"PageSize": "1001"},
        {"Page": "first"},
        {"PageToken": "PAnothing"},
    ],
)
def test_a_list_query_twilio_does_not_know_is_refused(
    wire: Wire, twilio_simulator: TwilioSimulator, query: dict[str, str]
) -> None:
    assert wire.get("/Calls.json", params=query).json()["code"] == 20001
    assert len(twilio_simulator.refused) == 1


def test_a_path_that_does_not_exist_is_20404_and_recorded(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    answer = wire.get("/Call.json")

    assert (answer.status_code, answer.json()["code"]) == (404, 20404)
    assert [request.path for request in twilio_simulator.refused] == [f"{wire.root}/Call.json"]


def test_a_method_that_does_not_exist_is_20004_and_recorded(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    answer = wire.send("PUT", "/Calls.json")

    assert (answer.status_code, answer.json()["code"]) == (405, 20004)
    assert len(twilio_simulator.refused) == 1


def test_a_call_that_is_not_there_is_an_answer_not_a_refusal(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    assert wire.get(f"/Calls/CA{'0' * 32}.json").json()["code"] == 20404
    assert twilio_simulator.refused == []


def test_every_request_is_kept_as_it_came(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    sid = wire.create(Timeout="30").json()["sid"]
    wire.get("/Calls.json", params={"To": TO})

    created, listed = twilio_simulator.requests
    assert (created.method, created.path, created.operation) == ("POST", f"{wire.root}/Calls.json", "create")
    assert created.form == (
        ("To", TO),
        ("From", twilio_simulator.from_number),
        ("Twiml", TWIML),
        ("Timeout", "30"),
    )
    assert (created.status, created.call_sid, created.code) == (201, sid, None)
    assert (listed.operation, listed.query, listed.status) == ("list", (("To", TO),), 200)
    assert listed.headers["user-agent"].startswith("python-requests/")
