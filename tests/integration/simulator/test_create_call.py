"""Placing a call: what is accepted and answered, and every refusal with Twilio's code."""

from __future__ import annotations

import re
from datetime import datetime, timezone

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.simulator.sdk import sdk_client
from tests.integration.simulator.wire import TO, TWIML, Wire

FIELDS_OF_A_CALL = {
    "sid", "account_sid", "parent_call_sid", "phone_number_sid", "group_sid", "trunk_sid", "date_created",
    "date_updated", "start_time", "end_time", "to", "to_formatted", "from", "from_formatted", "status", "duration",
    "price", "price_unit", "direction", "answered_by", "api_version", "forwarded_from", "caller_name", "queue_time",
    "uri", "subresource_uris",
}  # fmt: skip


def test_a_new_call_is_queued_and_looks_as_the_sdk_expects(
    client: Client, twilio_simulator: TwilioSimulator
) -> None:
    call = client.calls.create(to="+14155551234", from_=twilio_simulator.from_number, twiml=TWIML)

    assert re.fullmatch("CA[0-9a-f]{32}", call.sid)
    assert (call.status, call.start_time, call.end_time, call.duration) == ("queued", None, None, None)
    assert (call.to, call.to_formatted) == ("+14155551234", "(415) 555-1234")
    assert (call._from, call.direction, call.api_version) == (
        twilio_simulator.from_number,
        "outbound-api",
        "2010-04-01",
    )
    assert (call.price, call.price_unit, call.answered_by) == (None, "USD", None)
    assert abs((datetime.now(timezone.utc) - call.date_created).total_seconds()) < 5


def test_the_answer_has_every_field_of_a_call_and_only_strings(wire: Wire) -> None:
    answer = wire.create()

    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json"
    assert re.fullmatch("RQ[0-9a-f]{32}", answer.headers["Twilio-Request-Id"])
    assert set(body) >= FIELDS_OF_A_CALL
    assert {type(value) for name, value in body.items() if name != "subresource_uris"} <= {str, type(None)}
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", body["date_created"])
    assert set(body["subresource_uris"]) >= {"notifications", "recordings", "payments", "events", "siprec"}


def test_every_field_the_sdk_can_send_is_understood(
    client: Client, twilio_simulator: TwilioSimulator
) -> None:
    client.calls.create(
        to=TO,
        from_=twilio_simulator.from_number,
        url="https://example.org/twiml",
        method="GET",
        fallback_url="https://example.org/fallback",
        fallback_method="POST",
        status_callback="https://example.org/status",
        status_callback_event=["initiated", "ringing", "answered", "completed"],
        status_callback_method="POST",
        send_digits="1w2W#*",
        timeout=30,
        time_limit=120,
        record=True,
        recording_channels="dual",
        recording_track="both",
        recording_status_callback="https://example.org/recording",
        recording_status_callback_method="GET",
        recording_status_callback_event=["in-progress", "completed", "absent"],
        trim="do-not-trim",
        sip_auth_username="alice",
        sip_auth_password="secret",
        machine_detection="DetectMessageEnd",
        machine_detection_timeout=40,
        machine_detection_speech_threshold=2000,
        machine_detection_speech_end_threshold=1000,
        machine_detection_silence_timeout=3000,
        async_amd="true",
        async_amd_status_callback="https://example.org/amd",
        async_amd_status_callback_method="POST",
        caller_id="+15005559000",
        byoc="BY" + "a" * 32,
        call_reason="a reminder",
        call_token="token",
        client_notification_url="https://example.org/notify",
    )

    assert twilio_simulator.refused == []
    assert len(twilio_simulator.requests[-1].form) == 39


def test_fields_newer_than_the_sdk_are_understood(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    assert wire.create(RecordingConfigurationId="abc", Passports="a,b,c,d,e").status_code == 201


@pytest.mark.parametrize(
    ("to", "from_"),
    [
        ("client:alice", "client:bob"),
        ("sip:alice@example.org", "sip:bob@example.org"),
        ("sip:alice@example.org", "bob"),
        ("client:alice", "+15005559000"),
        (TO, "+15005550006"),
    ],
)
def test_parties_of_every_kind_are_accepted(wire: Wire, to: str, from_: str) -> None:
    to = "+15005551000" if to == from_ else to

    assert wire.create(To=to, From=from_).status_code == 201


@pytest.mark.parametrize(
    "instructions", [{"Url": "http://localhost:1/x"}, {"ApplicationSid": "AP" + "0" * 32}]
)
def test_instructions_of_every_kind_are_accepted(wire: Wire, instructions: dict[str, str]) -> None:
    assert wire.create(Twiml=None, **instructions).status_code == 201


REFUSALS: list[tuple[int, dict[str, str | None]]] = [
    (21201, {"To": None}),
    (21201, {"To": ""}),
    (21211, {"To": "0123"}),
    (21211, {"To": "5005550006"}),
    (21211, {"To": "+15005559000"}),
    (21213, {"From": None}),
    (21212, {"From": "hello"}),
    (21212, {"From": "client:bob"}),
    (21210, {"From": "+14155551234"}),
    (21205, {"Twiml": None}),
    (21205, {"Url": "example.org/twiml"}),
    (21205, {"Url": "ftp://example.org/twiml"}),
    (21205, {"Url": "http://my_host/twiml"}),
    (21205, {"FallbackUrl": "/fallback"}),
    (21205, {"StatusCallback": "http://my_host/"}),
    (21205, {"RecordingStatusCallback": "nowhere"}),
    (21205, {"AsyncAmdStatusCallback": "nowhere"}),
    (21205, {"ClientNotificationUrl": "nowhere"}),
    (21209, {"Method": "PUT"}),
    (21209, {"FallbackMethod": "get"}),
    (21209, {"StatusCallbackMethod": "DELETE"}),
    (21209, {"RecordingStatusCallbackMethod": "HEAD"}),
    (21209, {"AsyncAmdStatusCallbackMethod": ""}),
    (21626, {"StatusCallbackEvent": "busy"}),
    (21626, {"StatusCallbackEvent": "initiated ringing"}),
    (21626, {"RecordingStatusCallbackEvent": "started"}),
    (21218, {"Twiml": None, "ApplicationSid": "AP1"}),
    (21206, {"SendDigits": "12x"}),
    (21206, {"SendDigits": "1" * 33}),
    (21208, {"Timeout": "0"}),
    (21208, {"Timeout": "601"}),
    (21208, {"Timeout": "ten"}),
    (20001, {"TimeLimit": "0"}),
    (20001, {"RecordingChannels": "stereo"}),
    (20001, {"RecordingTrack": "all"}),
    (20001, {"Trim": "trim"}),
    (21221, {"SipAuthUsername": "a" * 256, "SipAuthPassword": "b"}),
    (21222, {"SipAuthUsername": "a b", "SipAuthPassword": "b"}),
    (21223, {"SipAuthUsername": "a", "SipAuthPassword": "b" * 256}),
    (21224, {"SipAuthUsername": "a", "SipAuthPassword": "b c"}),
    (21225, {"SipAuthUsername": "a"}),
    (21234, {"MachineDetection": "enable"}),
    (20001, {"MachineDetectionSpeechThreshold": "999"}),
    (20001, {"MachineDetectionSpeechEndThreshold": "5001"}),
    (20001, {"MachineDetectionSilenceTimeout": "1999"}),
    (20001, {"Byoc": "BY1"}),
    (20001, {"Byoc": "BY" + "0" * 32, "To": "client:alice"}),
    (20001, {"Passports": "a,b,c,d,e,f"}),
    (32018, {"Twiml": f"<Response><Say>{'a' * 4000}</Say></Response>"}),
    (12100, {"Twiml": "<Response><Say>"}),
    (12100, {"Twiml": "<Say>hello</Say>"}),
]


@pytest.mark.parametrize(("code", "form"), REFUSALS, ids=[f"{code}-{form}"[:60] for code, form in REFUSALS])
def test_a_wrong_value_is_refused_with_twilios_code_and_nothing_is_dialed(
    wire: Wire, twilio_simulator: TwilioSimulator, code: int, form: dict[str, str | None]
) -> None:
    answer = wire.create(**form)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert answer.json()["message"]
    assert twilio_simulator.calls == []


@pytest.mark.parametrize(
    ("number", "code"),
    [("+15005550001", 21212), ("+15005550002", 21210), ("+15005550003", 21210), ("+15005550004", 21210)],
)
def test_a_magic_number_as_from_is_refused_as_twilio_documents(
    client: Client, number: str, code: int
) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        client.calls.create(to=TO, from_=number, twiml=TWIML)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("number", "code"),
    [("+15005550001", 21217), ("+15005550002", 21214), ("+15005550003", 21215), ("+15005550004", 21216)],
)
def test_a_magic_number_as_to_is_refused_as_twilio_documents(
    client: Client, twilio_simulator: TwilioSimulator, number: str, code: int
) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        client.calls.create(to=number, from_=twilio_simulator.from_number, twiml=TWIML)
    assert refusal.value.code == code


def test_a_number_owned_since_may_call(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.own("+14155551234")

    assert wire.create(From="+14155551234").status_code == 201


def test_a_trial_account_calls_verified_numbers_only(trial: TwilioSimulator) -> None:
    client = sdk_client(trial)

    assert client.calls.create(to=TO, from_=trial.from_number, twiml=TWIML).status == "queued"
    with pytest.raises(TwilioRestException) as refusal:
        client.calls.create(to="+14155551234", from_=trial.from_number, twiml=TWIML)
    assert refusal.value.code == 21219
    assert client.api.v2010.account.fetch().type == "Trial"


def test_a_trial_account_has_at_most_five_verified_numbers() -> None:
    with pytest.raises(ValueError, match="at most five verified numbers, not 6"):
        TwilioSimulator(trial=True, verified=[f"+1500555100{n}" for n in range(6)])
