"""What hangs below a call and beside it: recordings, notifications, events, the account, its phone numbers."""

from __future__ import annotations

import pytest
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.simulator.webhook_receiver import WebhookReceiver
from tests.integration.simulator.wire import TO, TWIML, Wire

MISSING = "CA" + "0" * 32


def test_a_recorded_call_has_a_recording(client: Client, twilio_simulator: TwilioSimulator) -> None:
    sid = client.calls.create(
        to="+15005551003", from_="+15005559000", twiml=TWIML, record=True, recording_channels="dual"
    ).sid
    twilio_simulator.wait_for(sid, "in-progress")
    (running,) = client.calls(sid).recordings.list()
    twilio_simulator.skip(1000)
    (ready,) = client.calls(sid).recordings.list()

    assert (running.status, running.duration, running.price) == ("in-progress", "-1", None)
    assert ready.sid == running.sid
    assert (ready.status, ready.duration, ready.channels) == ("completed", "600", 2)
    assert (ready.source, ready.track, ready.call_sid) == ("OutboundAPI", "both", sid)


def test_a_call_that_was_not_recorded_or_not_answered_has_none(
    client: Client, twilio_simulator: TwilioSimulator
) -> None:
    silent = client.calls.create(to=TO, from_="+15005559000", twiml=TWIML)
    busy = client.calls.create(to="+15005551100", from_="+15005559000", twiml=TWIML, record=True)
    twilio_simulator.skip(1000)

    assert client.calls(silent.sid).recordings.list() == []
    assert client.calls(busy.sid).recordings.list() == []


def test_notifications_are_filtered_by_level(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    sid = wire.create(To="+15005551301").json()["sid"]
    twilio_simulator.skip(60)
    path = f"/Calls/{sid}/Notifications.json"

    assert len(wire.get(path, params={"Log": "0"}).json()["notifications"]) == 1
    assert wire.get(path, params={"Log": "1"}).json()["notifications"] == []


def test_events_can_be_read_a_quarter_of_an_hour_after_the_end(
    client: Client, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    sid = client.calls.create(
        to="+15005551001",
        from_="+15005559000",
        twiml=TWIML,
        status_callback=f"{receiver.url}/status",
        status_callback_event=["initiated", "completed"],
    ).sid
    receiver.take(2)
    early = client.calls(sid).events.list()
    twilio_simulator.skip(901)

    event = client.calls(sid).events.list()[0]

    assert early == []
    assert (event.request["url"], event.request["method"]) == (f"{receiver.url}/status", "POST")
    assert event.request["parameters"]["call_sid"] == sid
    assert event.request["parameters"]["call_status"] == "initiated"
    assert (event.response["response_code"], event.response["response_body"]) == (200, "thanks")


@pytest.mark.parametrize("below", ["Recordings", "Notifications", "Events"])
def test_below_a_call_that_is_not_there_is_nothing(wire: Wire, below: str) -> None:
    assert wire.get(f"/Calls/{MISSING}/{below}.json").json()["code"] == 20404


def test_the_account_says_who_it_is(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    account = wire.get(".json").json()

    assert account["sid"] == twilio_simulator.account_sid
    assert (account["friendly_name"], account["status"], account["type"]) == (
        "Simulated account",
        "active",
        "Full",
    )


def test_the_sdk_finds_an_owned_number(client: Client, twilio_simulator: TwilioSimulator) -> None:
    (number,) = client.incoming_phone_numbers.list(phone_number=twilio_simulator.from_number)

    assert number.phone_number == twilio_simulator.from_number
    assert number.capabilities["voice"] is True


def test_a_number_of_somebody_else_is_not_found(client: Client) -> None:
    assert client.incoming_phone_numbers.list(phone_number="+14155551234") == []


def test_numbers_come_in_pages_too(client: Client, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.own("+14155550001")
    twilio_simulator.own("+14155550002")

    numbers = client.incoming_phone_numbers.list(page_size=1)

    assert [number.phone_number for number in numbers] == [
        twilio_simulator.from_number,
        "+14155550001",
        "+14155550002",
    ]
