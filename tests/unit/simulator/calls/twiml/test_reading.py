"""What Twilio makes of a document, right or wrong; the official SDK writes what is right."""

from __future__ import annotations

import inspect
import re

import pytest
from twilio.twiml.voice_response import Gather as SdkGather
from twilio.twiml.voice_response import VoiceResponse

from airflow_provider_twiliocall.simulator.calls.twiml.attributes import KNOWN
from airflow_provider_twiliocall.simulator.calls.twiml.reading import UnreadableError, read_answer, read_twiml
from airflow_provider_twiliocall.simulator.calls.twiml.verbs import Gather, Hangup, Redirect, Sound


def read(inside: str) -> tuple[object, ...]:
    return read_twiml(f"<Response>{inside}</Response>").verbs


def codes(inside: str) -> list[int]:
    return [flaw.code for flaw in read_twiml(f"<Response>{inside}</Response>").flaws]


def test_what_the_sdk_writes_is_read_without_a_flaw() -> None:
    response = VoiceResponse()
    gather = SdkGather(
        action="/keys", method="GET", num_digits=2, timeout=9, finish_on_key="*", action_on_empty_result=True
    )
    gather.say("Press 1 & 2", voice="Polly.Amy", language="en-GB")
    gather.pause(length=2)
    response.append(gather)
    response.redirect("/again", method="POST")
    response.hangup()

    document = read_twiml(str(response))

    assert document.flaws == ()
    assert document.verbs == (
        Gather(
            sounds=(Sound("Say", "Press 1 & 2", 11 / 15), Sound("Pause", "", 2)),
            action="/keys",
            method="GET",
            timeout=9,
            finish_on_key="*",
            num_digits=2,
            action_on_empty_result=True,
        ),
        Redirect("/again"),
        Hangup(),
    )


@pytest.mark.parametrize("verb", sorted(set(KNOWN) - {"Response"}))
def test_the_attributes_are_those_of_the_sdk(verb: str) -> None:
    nouns = {"self", "message", "url", "number", "kwargs"}
    names = inspect.signature(getattr(VoiceResponse, verb.lower())).parameters.keys() - nouns

    assert KNOWN[verb] == {re.sub(r"_(\w)", lambda found: found[1].upper(), name) for name in names}


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<say>hello</say>", [12200]),
        ("<Shout/>", [12200]),
        ("<Gather><Redirect>a</Redirect></Gather>", [12200]),
        ('<Say voise="alice">hello</Say>', [12200]),
        ('<Gather numdigits="1"/>', [12200]),
        ('<Hangup now="yes"/>', [12200]),
        ("<Say/>", [13520]),
        ('<Say loop="-1">hello</Say>', [13510]),
        ('<Play loop="x">http://a/</Play>', [13410]),
        ('<Pause length="1.5"/>', [13910]),
        ('<Redirect method="PUT">a</Redirect>', [13710]),
        ('<Gather method="post"/>', [13312]),
        ('<Gather timeout="soon"/>', [13313]),
        ('<Gather numDigits="0"/>', [13314]),
        ('<Gather finishOnKey="##"/>', [13310]),
        ('<Gather actionOnEmptyResult="yes"/>', [13338]),
        ('<Gather input="keys"/>', [12200]),
        ('<Record maxLength="0"/>', [12200]),
        ('<Gather timeout="x" numDigits="y"/>', [13313, 13314]),
    ],
)
def test_a_mistake_is_a_warning(inside: str, expected: list[int]) -> None:
    assert sorted(codes(inside)) == expected


def test_a_wrong_value_gives_way_to_the_default() -> None:
    wrong = '<Gather timeout="x" numDigits="y" finishOnKey="ab" method="PUT" input="keys" actionOnEmptyResult="1"/>'

    assert read(wrong) == (Gather(),)


def test_an_unknown_verb_is_ignored_and_the_rest_executed() -> None:
    assert read("<Shout/><Hangup/>") == (Hangup(),)


def test_a_verb_that_is_not_simulated_is_named() -> None:
    assert read_twiml("<Response><Enqueue>a</Enqueue><Leave/></Response>").not_simulated == (
        "Enqueue",
        "Leave",
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 12100),
        ("hello", 12100),
        ("<Response>", 12100),
        (" <?xml version='1.0'?><Response/>", 12100),
        ("<!DOCTYPE Response [<!ENTITY a 'b'>]><Response><Say>&a;</Say></Response>", 12100),
        ("<response/>", 12102),
        ("<html/>", 12102),
    ],
)
def test_what_cannot_be_executed_is_an_error(text: str, code: int) -> None:
    with pytest.raises(UnreadableError) as error:
        read_twiml(text)
    assert (error.value.flaw.code, error.value.flaw.is_error) == (code, True)


@pytest.mark.parametrize("kind", ["text/xml", "application/xml; charset=utf-8", "TEXT/HTML"])
def test_the_types_of_twiml(kind: str) -> None:
    assert read_answer(200, kind, "<Response><Hangup/></Response>").verbs == (Hangup(),)
