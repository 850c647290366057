"""TwiML written by hand: what Twilio could not read is refused, and what it would ignore is said."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from twilio.twiml.voice_response import VoiceResponse

from airflow_provider_twiliocall.twilio.twiml_check import check_twiml, unknown_verbs
from tests.unit.examples import any_text, reproducible


@pytest.mark.parametrize(
    "twiml",
    [
        "<Response/>",
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Say voice="man">hi</Say><Hangup/></Response>',
        '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>é</Say></Response>',
        '<?xml version="1.0" encoding="UTF-16"?><Response><Say>é</Say></Response>',
        "<Response><Say>" + "x" * 3968 + "</Say></Response>",
    ],
)
def test_twiml_that_twilio_can_read_passes(twiml):
    check_twiml(twiml)


@pytest.mark.parametrize(
    ("twiml", "message"),
    [
        ("<Response>", "is not well-formed XML (no element found at line 1, column 11): close every element"),
        ("<Response><Say>a & b</Say></Response>", "write & as &amp;"),
        ("<Response><Say>a</say></Response>", "mismatched tag"),
        ("<Response/><Response/>", "junk after document element"),
        (
            "<response/>",
            "has the root element <response>: the root must be <Response>, in exactly these letters",
        ),
        ("<Say>hi</Say>", "has the root element <Say>"),
        ("hello", "is text, not XML: for words to be said use message"),
        ("<Response><Say>\x00</Say></Response>", "is not well-formed XML"),
        ("<Response><Say>" + "x" * 3969 + "</Say></Response>", "has 4001 characters after XML escaping"),
        ('<!DOCTYPE Response SYSTEM "https://example.com/x.dtd"><Response/>', "has a DOCTYPE"),
    ],
)
def test_twiml_that_twilio_could_not_read_is_refused_with_the_fix(twiml, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_twiml(twiml)


def test_entities_are_never_expanded():
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE l [<!ENTITY l0 "ha">{laughs}]><Response>&l9;</Response>'
    with pytest.raises(ValueError, match="entities are not expanded here"):
        check_twiml(bomb)


@reproducible(examples=300)
@given(any_text)
def test_checking_any_text_passes_or_raises_a_value_error(text):
    try:
        check_twiml(f"<Response><Say>{text}</Say></Response>")
    except ValueError:
        return
    assert ElementTree.fromstring(f"<Response><Say>{text}</Say></Response>") is not None


@pytest.mark.parametrize(
    ("inside", "warning"),
    [
        (
            "<say>hi</say>",
            "Twilio ignores <say> in the <Response> of twiml, because it does not know it there: write <Say>",
        ),
        ("<Speak>hi</Speak>", "Twilio ignores <Speak> in the <Response>"),
        ("<HangUp/>", "write <Hangup>"),
        ("<Gater><Say>hi</Say></Gater>", "write <Gather>"),
        (
            "<Gather><say>hi</say></Gather>",
            "ignores <say> in the <Gather> of twiml, because it does not know it there: write <Say>",
        ),
        (
            "<Dial><number>+15551234567</number></Dial>",
            "ignores <number> in the <Dial> of twiml, because it does not know it there: write <Number>",
        ),
        (
            "<Xyz/>",
            "ignores <Xyz> in the <Response> of twiml, because it does not know it there: it knows Connect, Dial,",
        ),
    ],
)
def test_an_element_that_twilio_does_not_know_is_said_with_the_nearest_one(inside, warning):
    (said,) = unknown_verbs(f"<Response><Pause/>{inside}{inside}</Response>")
    assert warning in said


def test_every_verb_that_the_sdk_can_write_is_known():
    response = VoiceResponse()
    response.say("hi").emphasis("there")
    gather = response.gather()
    gather.say("press 1")
    gather.play("https://example.com/a.mp3")
    dial = response.dial()
    dial.number("+15551234567")
    dial.sip("sip:a@b")
    dial.conference("room")
    response.connect().stream(url="wss://example.com")
    response.pause()
    response.redirect("https://example.com")
    response.record()
    response.reject()
    response.enqueue("queue").task("{}")
    response.start().siprec()
    response.hangup()
    assert unknown_verbs(str(response)) == []
