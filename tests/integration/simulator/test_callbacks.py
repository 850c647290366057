"""Callbacks: sent for the events asked for, in order, signed so that the SDK's validator believes them."""

from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.simulator.webhook_receiver import WebhookReceiver
from tests.integration.simulator.wire import TO, TWIML, Wire

EVENTS = ["initiated", "ringing", "answered", "completed"]


def test_every_status_is_called_back_in_order_and_signed(
    client: Client, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    sid = client.calls.create(
        to=TO,
        from_="+15005559000",
        twiml=TWIML,
        status_callback=f"{receiver.url}/status?dag=a%20b",
        status_callback_event=EVENTS,
    ).sid

    arrived = receiver.take(4)

    validator = RequestValidator(twilio_simulator.auth_token)
    assert [each.form["CallStatus"] for each in arrived] == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]
    assert [each.form["SequenceNumber"] for each in arrived] == ["0", "1", "2", "3"]
    assert {each.form["CallSid"] for each in arrived} == {sid}
    assert {each.method for each in arrived} == {"POST"}
    assert [validator.validate(each.url, each.form, each.signature) for each in arrived] == [True] * 4


def test_a_callback_tells_all_that_twilio_tells(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    wire.create(StatusCallback=receiver.url + "/")

    (completed,) = receiver.take(1)

    assert (
        completed.form.items()
        >= {
            "AccountSid": twilio_simulator.account_sid,
            "From": twilio_simulator.from_number,
            "To": TO,
            "CallStatus": "completed",
            "ApiVersion": "2010-04-01",
            "Direction": "outbound-api",
            "CallbackSource": "call-progress-events",
            "CallDuration": "8",
            "Duration": "1",
            "SipResponseCode": "200",
        }.items()
    )
    assert completed.form["Timestamp"].endswith(" +0000")


def test_a_get_callback_carries_all_in_its_url(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    wire.create(To="+15005551100", StatusCallback=f"{receiver.url}/s?a=1", StatusCallbackMethod="GET")

    (busy,) = receiver.take(1)

    assert (busy.method, busy.form) == ("GET", {})
    assert "CallStatus=busy" in busy.url
    assert RequestValidator(twilio_simulator.auth_token).validate(busy.url, {}, busy.signature)


@pytest.mark.parametrize(
    ("number", "status", "sip"),
    [
        ("+15005551100", "busy", "486"),
        ("+15005551101", "no-answer", "487"),
        ("+15005551104", "canceled", "487"),
        ("+15005551300", "failed", "404"),
    ],
)
def test_every_end_counts_as_completed(
    wire: Wire, receiver: WebhookReceiver, number: str, status: str, sip: str
) -> None:
    wire.create(To=number, StatusCallback=receiver.url + "/")

    (ended,) = receiver.take(1)

    assert (ended.form["CallStatus"], ended.form["SipResponseCode"]) == (status, sip)


def test_twiml_is_fetched_when_somebody_answers(wire: Wire, receiver: WebhookReceiver) -> None:
    wire.create(Twiml=None, Url=f"{receiver.url}/twiml")

    (fetched,) = receiver.take(1)

    assert (fetched.url, fetched.form["CallStatus"]) == (f"{receiver.url}/twiml", "in-progress")


def test_twiml_waits_for_the_detection(wire: Wire, receiver: WebhookReceiver) -> None:
    wire.create(Twiml=None, Url=f"{receiver.url}/twiml", MachineDetection="Enable")

    (fetched,) = receiver.take(1)

    assert fetched.form["AnsweredBy"] == "human"


def test_asynchronous_detection_calls_back(wire: Wire, receiver: WebhookReceiver) -> None:
    wire.create(
        To="+15005551200",
        MachineDetection="Enable",
        AsyncAmd="true",
        AsyncAmdStatusCallback=f"{receiver.url}/amd",
    )

    (detected,) = receiver.take(1)

    assert detected.form["AnsweredBy"] == "machine_start"
    assert int(detected.form["MachineDetectionDuration"]) == pytest.approx(4000, abs=1)


def test_a_recording_calls_back(wire: Wire, receiver: WebhookReceiver) -> None:
    wire.create(
        ("RecordingStatusCallbackEvent", "in-progress"),
        ("RecordingStatusCallbackEvent", "completed"),
        Record="true",
        RecordingStatusCallback=f"{receiver.url}/recording",
    )

    started, ready = receiver.take(2)

    assert (started.form["RecordingStatus"], ready.form["RecordingStatus"]) == ("in-progress", "completed")
    assert ready.form["RecordingDuration"] == "8"
    assert ready.form["RecordingSid"].startswith("RE")


def test_nothing_is_sent_beyond_this_machine(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    wire.create(
        Twiml=None,
        Url=f"{receiver.url}/twiml",
        StatusCallback="https://example.org/",
        StatusCallbackEvent="initiated",
    )
    receiver.take(1)

    not_sent = twilio_simulator.webhooks[0]

    assert (not_sent["url"], not_sent["status"]) == ("https://example.org/", None)
    assert not_sent["note"] == (
        "not sent: the simulator only calls URLs on this machine (127.0.0.1, ::1, localhost)"
    )


def test_an_application_has_callbacks_of_its_own(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    wire.create(
        To="+15005551100",
        Twiml=None,
        ApplicationSid="AP" + "0" * 32,
        StatusCallback=f"{receiver.url}/ignored",
    )
    wire.create(To="+15005551101", StatusCallback=f"{receiver.url}/last")

    assert receiver.take(1)[0].url == f"{receiver.url}/last"


def test_a_server_that_is_away_is_noted_and_the_call_goes_on(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    sid = wire.create(Twiml=None, Url="http://127.0.0.1:1/twiml", StatusCallback=receiver.url + "/").json()[
        "sid"
    ]

    (ended,) = receiver.take(1)

    assert (ended.form["CallSid"], ended.form["CallStatus"]) == (sid, "completed")
    assert twilio_simulator.webhooks[0]["note"].startswith("no answer: ")
