"""TwiML over HTTP: asked for, signed, executed; the official SDK writes it and believes the signatures."""

from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.twiml.voice_response import Gather, VoiceResponse

from airflow_provider_twiliocall.simulator import Ending, Press, TwilioSimulator
from airflow_provider_twiliocall.simulator.problem import Problem
from tests.integration.simulator.webhook_receiver import Received, WebhookReceiver
from tests.integration.simulator.wire import Wire

TO = "+14155551234"
PRESSES_ONE, PRESSES_TWO, WRONG_FIRST, LATE = "+15005551400", "+15005551401", "+15005551402", "+15005551403"
SORRY = "We are sorry, an application error has occurred. Goodbye."


def says(words: str) -> VoiceResponse:
    response = VoiceResponse()
    response.say(words)
    return response


def asks(action: str, words: str = "Press 1.", otherwise: str = "Nothing was pressed.") -> VoiceResponse:
    response = VoiceResponse()
    gather = Gather(num_digits=1, timeout=5, action=action)
    gather.say(words)
    response.append(gather)
    response.say(otherwise)
    return response


def is_signed(simulator: TwilioSimulator, received: Received) -> bool:
    return bool(
        RequestValidator(simulator.auth_token).validate(received.url, received.form, received.signature)
    )


def test_a_key_reaches_the_action_signed_and_its_answer_is_said(
    client: Client, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    action = receiver.serve("/keys", says("Thanks."))
    twiml = str(asks(f"{action}?dag=a%20b&try=1"))
    sid = client.calls.create(to=PRESSES_ONE, from_="+15005559000", twiml=twiml).sid

    (asked,) = receiver.take(1)
    call = twilio_simulator.wait_for(sid)

    assert asked.form.items() >= {"CallSid": sid, "Digits": "1", "CallStatus": "in-progress"}.items()
    assert asked.form["To"] == PRESSES_ONE
    assert is_signed(twilio_simulator, asked)
    assert (call["status"], call["duration"]) == ("completed", "3")
    (shown,) = twilio_simulator.calls
    assert (shown["said"], shown["pressed"], shown["error_codes"]) == (["Press 1.", "Thanks."], ["1"], [])


def test_an_action_by_get_has_all_in_its_signed_url(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    receiver.serve("/keys", says("Thanks."))
    twiml = f'<Response><Gather numDigits="1" method="GET" action="{receiver.url}/keys?a=1"/></Response>'
    wire.create(To=PRESSES_TWO, Twiml=twiml)

    (asked,) = receiver.take(1)

    assert (asked.method, asked.form) == ("GET", {})
    assert asked.url.startswith(f"{receiver.url}/keys?a=1&CallSid=CA")
    assert asked.url.endswith("&Digits=2")
    assert is_signed(twilio_simulator, asked)


def test_a_wrong_key_is_asked_again_by_relative_addresses(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    url = receiver.serve("/start", asks("keys"))
    receiver.serve("/keys", asks("/keys", "Press 1, please."), says("Thanks."))
    sid = wire.create(To=WRONG_FIRST, Twiml=None, Url=url).json()["sid"]

    start, wrong, right = receiver.take(3)
    twilio_simulator.wait_for(sid)

    assert [start.form.get("Digits"), wrong.form["Digits"], right.form["Digits"]] == [None, "9", "1"]
    assert twilio_simulator.calls[0]["said"] == ["Press 1.", "Press 1, please.", "Thanks."]


def test_who_misses_the_first_question_answers_the_second(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    receiver.serve("/again", asks("/keys"))
    receiver.serve("/keys", says("Thanks."))
    start = asks("/keys")
    start.redirect("/again")
    sid = wire.create(To=LATE, Twiml=None, Url=receiver.serve("/start", start)).json()["sid"]

    twilio_simulator.wait_for(sid)

    assert [received.url.rpartition("/")[2] for received in receiver.take(3)] == ["start", "again", "keys"]
    assert twilio_simulator.calls[0]["said"] == ["Press 1.", "Nothing was pressed.", "Press 1.", "Thanks."]


def test_a_key_is_pressed_live(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    twilio_simulator.clock.speed = 1
    receiver.serve("/keys", says("Thanks."))
    sid = wire.create(To=TO, Twiml=str(asks(f"{receiver.url}/keys", "Press 1. " * 20))).json()["sid"]
    twilio_simulator.skip(3)
    twilio_simulator.wait_for_words(sid, "Press 1.")

    pressed = twilio_simulator.press(sid, "1")
    twilio_simulator.wait_for_words(sid, "Thanks.")

    assert pressed["pressed"] == ["1"]
    message, key, asked, thanks = twilio_simulator.transcript(sid)
    assert message["cut_after"] == pytest.approx(key["second"], abs=0.01)
    assert (key["counted"], asked["text"], thanks["text"]) == (True, f"{receiver.url}/keys", "Thanks.")


def test_a_key_is_pressed_from_another_process(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    twilio_simulator.clock.speed = 1
    receiver.serve("/keys", says("Thanks."))
    sid = wire.create(To=TO, Twiml=str(asks(f"{receiver.url}/keys"))).json()["sid"]
    early = wire.control("POST", f"/calls/{sid}/press", json={"keys": "1"})
    twilio_simulator.skip(3)
    twilio_simulator.wait_for_words(sid, "Press 1.")

    pressed = wire.control("POST", f"/calls/{sid}/press", json={"keys": "1"})
    receiver.take(1)

    assert (early.status_code, pressed.status_code) == (400, 200)
    assert pressed.json()["pressed"] == ["1"]
    assert [line["line"] for line in wire.control("GET", f"/calls/{sid}/transcript").json()][:3] == [
        "said",
        "pressed",
        "asked",
    ]
    assert wire.control("POST", f"/calls/{sid}/press", json={"keys": "A"}).status_code == 422
    assert wire.control("POST", "/calls/CA0/press", json={"keys": "1"}).status_code == 404
    assert wire.control("GET", "/calls/CA0/transcript").status_code == 404


def test_keys_are_scripted_over_the_control_api(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    ending = {"outcome": "human", "presses": ["9", {"keys": "12", "after": 1}]}
    shown = wire.control("POST", "/endings", json={"number": TO, "endings": ending}).json()
    receiver.serve("/keys", asks("/keys"), says("Thanks."))
    wire.create(To=TO, Twiml=str(asks(f"{receiver.url}/keys")))

    assert shown[TO][0]["presses"] == [{"keys": "9", "after": 2.0}, {"keys": "12", "after": 1.0}]
    assert [received.form["Digits"] for received in receiver.take(2)] == ["9", "1"]


def test_nobody_hears_words_that_are_not_said(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    sid = wire.create(To="+15005551100").json()["sid"]

    with pytest.raises(TimeoutError, match="has not said 'Thanks'"):
        twilio_simulator.wait_for_words(sid, "Thanks")
    with pytest.raises(Problem):
        twilio_simulator.press(sid, "1")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.org/twiml", "11200"),
        ("http://127.0.0.1:1/twiml", "11200"),
        ("http://192.0.2.1/twiml", "11200"),
    ],
)
def test_an_action_that_cannot_be_reached_ends_the_call_with_an_apology(
    client: Client, twilio_simulator: TwilioSimulator, url: str, code: str
) -> None:
    sid = client.calls.create(to=PRESSES_ONE, from_="+15005559000", twiml=str(asks(url))).sid
    call = twilio_simulator.wait_for(sid)

    (notification,) = client.calls(sid).notifications.list()

    assert (call["status"], call["duration"]) == ("completed", "6")
    assert twilio_simulator.calls[0]["said"] == ["Press 1.", SORRY]
    assert (notification.error_code, notification.log, notification.request_url) == (code, "0", url)


@pytest.mark.parametrize(
    ("body", "status", "kind", "code"),
    [
        ("oops", 500, "text/html", "11200"),
        ("<Response><Say>", 200, "text/xml", "12100"),
        ("<html/>", 200, "text/html", "12102"),
        ("{}", 200, "application/json", "12300"),
    ],
)
def test_an_answer_that_makes_no_sense_is_told_to_the_fallback(
    wire: Wire,
    twilio_simulator: TwilioSimulator,
    receiver: WebhookReceiver,
    body: str,
    status: int,
    kind: str,
    code: str,
) -> None:
    url = receiver.serve("/start", body, status=status, kind=kind)
    fallback = receiver.serve("/fallback", says("Something is wrong."))
    sid = wire.create(To=TO, Twiml=None, Url=url, FallbackUrl=fallback).json()["sid"]

    _, asked = receiver.take(2)
    twilio_simulator.wait_for(sid)

    assert (asked.form["ErrorCode"], asked.form["ErrorUrl"]) == (code, url)
    assert is_signed(twilio_simulator, asked)
    assert twilio_simulator.calls[0]["said"] == ["Something is wrong."]
    assert twilio_simulator.calls[0]["error_codes"] == [int(code)]


def test_a_warning_is_in_the_notifications(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    sid = wire.create(To=TO, Twiml='<Response><Say voise="alice">hi</Say><say>no</say></Response>').json()[
        "sid"
    ]
    twilio_simulator.skip(60)

    warnings = wire.get(f"/Calls/{sid}/Notifications.json", params={"Log": "1"}).json()["notifications"]

    assert {each["error_code"] for each in warnings} == {"12200"}
    assert [each["message_text"] for each in warnings][1] == (
        "Attribute 'voise' is not allowed to appear in element 'Say'."
    )


def test_a_call_gets_other_instructions_while_it_speaks(
    client: Client, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    twilio_simulator.clock.speed = 1
    sid = client.calls.create(to=TO, from_="+15005559000", twiml=str(says("a long story " * 50))).sid
    twilio_simulator.skip(3)
    twilio_simulator.wait_for_words(sid, "a long story")
    response = says("Somebody else has taken it.")
    response.hangup()

    client.calls(sid).update(url=receiver.serve("/taken", response), method="GET")
    (asked,) = receiver.take(1)
    twilio_simulator.wait_for_words(sid, "Somebody else")
    twilio_simulator.skip(10)

    assert asked.method == "GET"
    assert twilio_simulator.wait_for(sid)["status"] == "completed"


def test_status_callbacks_stay_in_order_around_the_requests(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    receiver.serve("/keys", says("Thanks."))
    events = [("StatusCallbackEvent", event) for event in ("initiated", "ringing", "answered", "completed")]
    wire.create(
        *events,
        To=PRESSES_ONE,
        Twiml=str(asks(f"{receiver.url}/keys")),
        StatusCallback=f"{receiver.url}/status",
    )

    arrived = receiver.take(5)

    statuses = [each.form["CallStatus"] for each in arrived if each.url.endswith("/status")]
    assert statuses == ["initiated", "ringing", "in-progress", "completed"]
    assert [each.form["CallDuration"] for each in arrived if "CallDuration" in each.form] == ["3"]


def test_a_whole_conversation_fits_into_a_skip(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    twilio_simulator.clock.speed = 1
    ending = Ending(outcome="human", presses=(Press(keys="9"), Press(keys="1", after=0.25)))
    twilio_simulator.script(TO, ending)
    receiver.serve("/keys", asks("/keys"), says("Thanks."))
    sid = wire.create(To=TO, Twiml=str(asks(f"{receiver.url}/keys"))).json()["sid"]

    twilio_simulator.skip(600)

    assert twilio_simulator.wait_for(sid)["duration"] == "3"
    assert [line["second"] for line in twilio_simulator.transcript(sid)] == [0, 2, 2, 2, 2.25, 2.25, 2.25]


def test_a_recording_is_told_to_its_action(
    wire: Wire, twilio_simulator: TwilioSimulator, receiver: WebhookReceiver
) -> None:
    receiver.serve("/recorded", says("Thanks."))
    wire.create(To=TO, Twiml=f'<Response><Record action="{receiver.url}/recorded"/></Response>')

    (asked,) = receiver.take(1)

    assert asked.form["RecordingDuration"] == "8"
    assert asked.form["RecordingUrl"].endswith(f"/Recordings/{asked.form['RecordingSid']}")
