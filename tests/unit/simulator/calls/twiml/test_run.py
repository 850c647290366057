"""The interpreter, table by table: documents in, steps out, no clock and no network."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.simulator.calls.twiml.reading import read_twiml
from airflow_provider_twiliocall.simulator.calls.twiml.run import (
    Ask,
    End,
    Fail,
    Run,
    Step,
    Wait,
    begin,
    press,
    time_up,
)

URL = "https://example.org/calls/start?run=1"
# 15 characters, which take a second.
SECOND = "fifteen letters"


def start(inside: str, url: str = URL) -> tuple[Run, Step]:
    return begin(read_twiml(f"<Response>{inside}</Response>"), url)


def walk(inside: str, events: str, url: str = URL) -> list[Step]:
    """The steps of a document: a key for each key, a dot for each wait that ends."""
    run, step = start(inside, url)
    steps = [step]
    for event in events:
        turn = time_up(run) if event == "." else press(run, event, 0.5)
        if turn is not None:
            run, step = turn
            steps.append(step)
    return steps


def told(step: Step) -> str:
    """A step in a word or two."""
    if isinstance(step, Wait):
        return f"{step.sound.text or step.sound.verb} {step.seconds:g}" if step.sound else f"{step.seconds:g}"
    if isinstance(step, Ask):
        return " ".join([step.method, step.url, *(f"{name}={value}" for name, value in step.params)])
    return {End(): "end", End(hung_up=True): "hung up"}[step] if isinstance(step, End) else "fail"


@pytest.mark.parametrize(
    ("inside", "steps"),
    [
        ("", ["end"]),
        (f"<Say>{SECOND}</Say>", [f"{SECOND} 1", "end"]),
        (f'<Say loop="3">{SECOND}</Say>', [f"{SECOND} 3", "end"]),
        (f'<Say loop="0">{SECOND}</Say>', [f"{SECOND} 1000", "end"]),
        ('<Say>a <emphasis>b</emphasis>\n  <break strength="weak"/>c</Say>', ["a b c 0.333333", "end"]),
        ("<Play>http://a/b.mp3</Play>", ["http://a/b.mp3 10", "end"]),
        ('<Play loop="2">http://a/b.mp3</Play>', ["http://a/b.mp3 20", "end"]),
        ('<Play digits="1w2"/>', ["1w2 1", "end"]),
        ("<Pause/>", ["Pause 1", "end"]),
        ('<Pause length="7"/>', ["Pause 7", "end"]),
        ('<Pause length="0"/>', ["Pause 0", "end"]),
        ("<Hangup/><Say>never</Say>", ["hung up"]),
        ('<Reject reason="busy"/><Say>never</Say>', ["hung up"]),
        ("<Dial>+15005550006</Dial>", ["10", "end"]),
        ('<Dial timeLimit="3">+15005550006</Dial><Pause/>', ["3", "Pause 1", "end"]),
        ("<Enqueue>q</Enqueue><Pause/>", ["Pause 1", "end"]),
        ("<Gather/>", ["5", "end"]),
        ('<Gather timeout="3"/><Pause/>', ["3", "Pause 1", "end"]),
        ('<Gather input="speech" timeout="auto"/>', ["5", "end"]),
    ],
)
def test_what_is_heard_in_silence(inside: str, steps: list[str]) -> None:
    assert [told(step) for step in walk(inside, "." * (len(steps) - 1))] == steps


@pytest.mark.parametrize(
    ("attributes", "events", "last"),
    [
        # One key is enough, at any moment.
        ('numDigits="1"', "1", "Digits=1"),
        ('numDigits="1"', ".1", "Digits=1"),
        ('numDigits="1"', "..1", "Digits=1"),
        ('numDigits="1"', "*", "Digits=*"),
        # numDigits counts, whether or not there was silence in between.
        ('numDigits="3"', "12", None),
        ('numDigits="3"', "123", "Digits=123"),
        ('numDigits="3"', "..123", "Digits=123"),
        # The timeout after the last key hands in what there is.
        ('numDigits="3"', "12.", "Digits=12"),
        ("", "12345.", "Digits=12345"),
        # finishOnKey ends what has begun and does not count itself.
        ("", "12#", "Digits=12 FinishedOnKey=#"),
        ('finishOnKey="*"', "1*", "Digits=1 FinishedOnKey=*"),
        ('finishOnKey="*"', "1#.", "Digits=1#"),
        ('finishOnKey=""', "1#*.", "Digits=1#*"),
        ('finishOnKey="5" numDigits="2"', "15", "Digits=1 FinishedOnKey=5"),
        # Without a key before it, it only stops the message.
        ("", "#", None),
        ("", "##1#", "Digits=1 FinishedOnKey=#"),
        # An empty result is handed in only where that was asked for.
        ('actionOnEmptyResult="true"', "...", ""),
        ('actionOnEmptyResult="true"', "#.", ""),
        ('actionOnEmptyResult="true"', "1.", "Digits=1"),
        ('input="dtmf speech" numDigits="1"', "1", "Digits=1"),
        ('input="speech" numDigits="1"', "1", None),
    ],
)
def test_what_is_gathered(attributes: str, events: str, last: str | None) -> None:
    inside = f'<Gather action="keys" {attributes}><Say>one</Say><Say>two</Say></Gather>'

    step = walk(inside, events)[-1]

    assert isinstance(step, Ask) == (last is not None)
    assert last is None or told(step) == f"POST https://example.org/calls/keys {last}".strip()


@pytest.mark.parametrize(
    ("events", "steps"),
    [
        ("....", ["one 0.2", "Pause 2", "two 0.2", "5", "after 0.333333"]),
        ("#.", ["one 0.2", "5", "after 0.333333"]),
        (".#.", ["one 0.2", "Pause 2", "5", "after 0.333333"]),
        ("1", ["one 0.2", "5"]),
        ("..12", ["one 0.2", "Pause 2", "two 0.2", "5", "5"]),
    ],
)
def test_a_key_stops_all_that_is_nested_and_each_key_starts_the_timeout_again(
    events: str, steps: list[str]
) -> None:
    gather = '<Gather action="keys"><Say>one</Say><Pause length="2"/><Say>two</Say></Gather><Say>after</Say>'

    assert [told(step) for step in walk(gather, events)] == steps


@pytest.mark.parametrize(
    "inside", ["<Say>hello</Say>", "<Pause/>", "<Dial>+1</Dial>", "<Play>http://a/</Play>"]
)
def test_keys_are_lost_where_nobody_waits_for_them(inside: str) -> None:
    run, _ = start(inside)

    assert press(run, "1", 0) is None


def test_each_gather_starts_without_digits() -> None:
    gather = '<Gather action="a"/><Gather action="b"/>'

    assert told(walk(gather, ".7.")[-1]) == "POST https://example.org/calls/b Digits=7"


@pytest.mark.parametrize(
    ("url", "inside", "step"),
    [
        (URL, "<Redirect>next</Redirect>", "POST https://example.org/calls/next"),
        (URL, "<Redirect>/next?a=1&amp;b=2</Redirect>", "POST https://example.org/next?a=1&b=2"),
        (URL, '<Redirect method="GET"> http://localhost/a </Redirect>', "GET http://localhost/a"),
        (URL, "<Redirect/>", f"POST {URL}"),
        ("", "<Redirect>http://localhost/a</Redirect>", "POST http://localhost/a"),
        ("", "<Redirect>next</Redirect>", "fail"),
        ("", "<Redirect/>", "fail"),
        (URL, "<Redirect>ftp://localhost/a</Redirect>", "fail"),
        (URL, "<Redirect>http://[</Redirect>", "fail"),
    ],
)
def test_where_a_redirect_leads(url: str, inside: str, step: str) -> None:
    assert [told(each) for each in walk(inside, "", url)] == [step]


@pytest.mark.parametrize(("url", "code"), [("", 15004), (URL, 11100)])
def test_an_address_that_is_none_is_an_error_of_twilio(url: str, code: int) -> None:
    (step,) = walk("<Redirect>mailto:a</Redirect>", "", url)

    assert isinstance(step, Fail)
    assert (step.flaw.code, step.flaw.is_error) == (code, True)


def test_a_gather_without_action_goes_back_to_its_document() -> None:
    assert told(walk('<Gather numDigits="1" method="GET"/>', "1")[-1]) == f"GET {URL} Digits=1"


@pytest.mark.parametrize(
    ("inside", "events", "last"),
    [
        ('<Record action="r"/>', ".", "RecordingDuration=8"),
        ('<Record action="r" timeout="1"/>', ".", "RecordingDuration=4"),
        ('<Record action="r" maxLength="2"/>', ".", "RecordingDuration=2"),
        ('<Record action="r"/>', "5", "RecordingDuration=0 Digits=5"),
        ('<Record action="r" finishOnKey="#"/>', "5.", "RecordingDuration=8"),
    ],
)
def test_what_is_recorded(inside: str, events: str, last: str) -> None:
    assert told(walk(inside, events)[-1]) == f"POST https://example.org/calls/r {last}"


def test_documents_that_follow_each_other_at_once_are_counted_until_a_moment_passes() -> None:
    run, _ = start("<Redirect>a</Redirect>")
    counted = begin(read_twiml("<Response><Redirect>b</Redirect></Response>"), URL, run)[0]
    heard = begin(read_twiml("<Response><Pause/><Redirect>b</Redirect></Response>"), URL, run)[0]

    assert (run.requests, counted.requests, heard.requests) == (1, 2, 0)
