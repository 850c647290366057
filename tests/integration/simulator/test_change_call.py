"""What can be done to a call that exists: read, cancel, complete, change, delete."""

from __future__ import annotations

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.simulator.wire import TO, TWIML, Wire

WAITS = "+15005551105"
TALKS_LONG = "+15005551003"


def place(client: Client, to: str) -> str:
    sid: str = client.calls.create(to=to, from_="+15005559000", twiml=TWIML).sid
    return sid


def test_a_call_is_read_by_its_sid(client: Client) -> None:
    sid = place(client, TO)

    assert client.calls(sid).fetch().sid == sid


def test_a_queued_call_is_canceled(client: Client) -> None:
    sid = place(client, WAITS)

    canceled = client.calls(sid).update(status="canceled")

    assert (canceled.status, canceled.start_time, canceled.price) == ("canceled", None, None)
    assert canceled.end_time is not None


def test_a_ringing_call_is_canceled(client: Client, twilio_simulator: TwilioSimulator) -> None:
    sid = place(client, "+15005551101")
    twilio_simulator.wait_for(sid, "ringing")

    assert client.calls(sid).update(status="canceled").status == "canceled"


def test_a_call_in_progress_is_completed_but_not_canceled(
    client: Client, twilio_simulator: TwilioSimulator
) -> None:
    sid = place(client, TALKS_LONG)
    twilio_simulator.wait_for(sid, "in-progress")

    with pytest.raises(TwilioRestException) as refusal:
        client.calls(sid).update(status="canceled")
    completed = client.calls(sid).update(status="completed")

    assert refusal.value.code == 21220
    assert completed.status == "completed"


def test_a_finished_call_cannot_be_ended_again(client: Client, twilio_simulator: TwilioSimulator) -> None:
    sid = place(client, TO)
    twilio_simulator.skip(60)

    with pytest.raises(TwilioRestException) as refusal:
        client.calls(sid).update(status="completed")
    assert (refusal.value.status, refusal.value.code) == (400, 21220)


def test_the_time_limit_of_a_call_in_progress_can_be_changed(
    client: Client, twilio_simulator: TwilioSimulator
) -> None:
    sid = place(client, TALKS_LONG)
    twilio_simulator.wait_for(sid, "in-progress")
    client.calls(sid).update(time_limit=100)
    twilio_simulator.skip(110)

    call = client.calls(sid).fetch()

    assert call.status == "completed"
    assert 100 <= int(call.duration) < 110


def test_other_instructions_need_a_call_in_progress(
    client: Client, twilio_simulator: TwilioSimulator
) -> None:
    waiting, talking = place(client, WAITS), place(client, TALKS_LONG)
    twilio_simulator.wait_for(talking, "in-progress")

    assert client.calls(talking).update(twiml=TWIML).status == "in-progress"
    with pytest.raises(TwilioRestException) as refusal:
        client.calls(waiting).update(twiml=TWIML)
    assert refusal.value.code == 21220


@pytest.mark.parametrize(
    ("code", "form"),
    [
        (20001, {}),
        (20001, {"Status": "busy"}),
        (20001, {"To": TO}),
        (20001, {"TimeLimit": "0"}),
        (21205, {"Url": "nowhere"}),
        (21209, {"Method": "PUT"}),
        (12100, {"Twiml": "<Response>"}),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(wire: Wire, code: int, form: dict[str, str]) -> None:
    sid = wire.create(To=WAITS).json()["sid"]

    answer = wire.post(f"/Calls/{sid}.json", form)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert wire.call(sid)["status"] == "queued"


def test_a_finished_call_is_deleted(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    sid = wire.create().json()["sid"]
    twilio_simulator.skip(60)

    answer = wire.send("DELETE", f"/Calls/{sid}.json")

    assert (answer.status_code, answer.content) == (204, b"")
    assert wire.get(f"/Calls/{sid}.json").json()["code"] == 20404
    assert wire.get("/Calls.json").json()["calls"] == []
    assert twilio_simulator.calls == []


def test_the_sdk_understands_a_deletion(client: Client, twilio_simulator: TwilioSimulator) -> None:
    sid = place(client, TO)
    twilio_simulator.skip(60)

    assert client.calls(sid).delete() is True


def test_a_call_still_going_on_cannot_be_deleted(client: Client) -> None:
    sid = place(client, WAITS)

    with pytest.raises(TwilioRestException) as refusal:
        client.calls(sid).delete()
    assert (refusal.value.status, refusal.value.code) == (400, 20009)


def test_somebody_else_can_end_a_call(client: Client, twilio_simulator: TwilioSimulator) -> None:
    sid = place(client, WAITS)

    assert twilio_simulator.end(sid)["status"] == "canceled"
    assert client.calls(sid).fetch().status == "canceled"
    assert [request.operation for request in twilio_simulator.requests] == ["create", "get"]
