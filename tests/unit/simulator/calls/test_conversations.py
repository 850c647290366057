"""Calls whose TwiML speaks, asks and listens, to the second, by a clock turned by hand and a server played by hand."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.simulator import Clock
from airflow_provider_twiliocall.simulator.calls.account import FROM_NUMBER, Account
from airflow_provider_twiliocall.simulator.calls.endings import as_endings
from airflow_provider_twiliocall.simulator.calls.simulated_call import SimulatedCall, WebhookExchange
from airflow_provider_twiliocall.simulator.problem import Problem
from airflow_provider_twiliocall.simulator.transcript import summary_of, transcript_of
from airflow_provider_twiliocall.twilio.call import CallStatus

TO = "+14155551234"
ANSWERED = 3.0
ACTION = "http://127.0.0.1/action"
# 30 characters, which take two seconds.
QUESTION = "Press 1 to take it, 2 to pass."
ASKS = f'<Gather numDigits="1" action="{ACTION}"><Say>{QUESTION}</Say></Gather>'
THANKS = "<Response><Say>Thanks.</Say></Response>"


class Stage:
    """An account, its clock, and the web server it asks."""

    def __init__(self) -> None:
        self.real = 1_000_000.0
        self.clock = Clock(read=lambda: self.real)
        self.account = Account(self.clock)

    def place(self, twiml: str, *presses: Any, **form: str) -> SimulatedCall:
        self.account.script.set(TO, as_endings({"outcome": "human", "presses": presses}))
        pairs = {"To": TO, "From": FROM_NUMBER, **form}
        if twiml:
            pairs["Twiml"] = f"<Response>{twiml}</Response>"
        return self.account.create(tuple(pairs.items()))

    def skip(self, seconds: float) -> None:
        self.clock.skip(seconds)
        self.account.advance()

    def answer(
        self, call: SimulatedCall, body: str, status: int | None = 200, kind: str = "text/xml"
    ) -> tuple[str, dict[str, str]]:
        """Answer the request that a call waits for, and tell what was asked."""
        asking = call.conversation.asking
        assert asking is not None
        exchange = WebhookExchange(
            asking.at, asking.ask.method, asking.ask.url, (), status, kind, body, 0, note="no answer"
        )
        self.account.take_answer(call, asking, exchange)
        return asking.ask.url, dict(asking.ask.params)

    def said(self, call: SimulatedCall) -> list[str]:
        said: list[str] = summary_of(call)["said"]
        return said

    def lines(self, call: SimulatedCall) -> list[tuple[float, str, str]]:
        return [(each["second"], each["line"], each["text"]) for each in transcript_of(call, self.clock)]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def seconds(call: SimulatedCall) -> int | None:
    return call.duration


def test_a_short_message_leaves_the_callee_eight_seconds(stage: Stage) -> None:
    call = stage.place("<Say>hello</Say>")
    stage.skip(60)

    assert (call.status, seconds(call), stage.said(call)) == ("completed", 8, ["hello"])


def test_a_long_message_is_heard_to_its_end(stage: Stage) -> None:
    call = stage.place(f"<Pause/><Say>{'a' * 150}</Say>")
    stage.skip(60)

    assert seconds(call) == 11


def test_a_scripted_key_goes_to_the_action_and_its_answer_is_said(stage: Stage) -> None:
    call = stage.place(ASKS, "1")
    stage.skip(60)
    asked = stage.answer(call, THANKS)

    assert asked == (ACTION, {"Digits": "1"})
    assert stage.lines(call) == [
        (0, "said", QUESTION),
        (2, "pressed", "1"),
        (2, "asked", ACTION),
        (2, "said", "Thanks."),
    ]
    assert (call.status, seconds(call)) == ("completed", 3)


@pytest.mark.parametrize("after", [0, 0.5, 1.9])
def test_a_key_stops_the_message(stage: Stage, after: float) -> None:
    call = stage.place(ASKS, {"keys": "1", "after": after})
    stage.skip(60)
    stage.answer(call, THANKS)

    assert transcript_of(call, stage.clock)[0]["cut_after"] == after


def test_a_message_that_was_heard_whole_was_not_cut(stage: Stage) -> None:
    call = stage.place(ASKS, {"keys": "1", "after": 4})
    stage.skip(60)

    assert transcript_of(call, stage.clock)[0]["cut_after"] is None


def test_silence_goes_on_after_message_and_timeout(stage: Stage) -> None:
    call = stage.place(f"{ASKS}<Say>Goodbye.</Say>")
    stage.skip(60)

    assert stage.lines(call)[1] == (7, "said", "Goodbye.")
    assert seconds(call) == 8


def test_a_wrong_key_first_and_the_right_one_when_asked_again(stage: Stage) -> None:
    call = stage.place(ASKS, "9", "1")
    stage.skip(60)
    first = stage.answer(call, f"<Response>{ASKS}</Response>")
    second = stage.answer(call, THANKS)

    assert (first[1], second[1]) == ({"Digits": "9"}, {"Digits": "1"})
    assert summary_of(call)["pressed"] == ["9", "1"]


def test_an_empty_press_lets_a_question_pass(stage: Stage) -> None:
    call = stage.place(ASKS + ASKS, "", "2")
    stage.skip(60)

    assert stage.answer(call, THANKS)[1] == {"Digits": "2"}
    assert stage.lines(call)[2] == (9, "pressed", "2")


def test_the_keys_of_a_pin_are_pressed_one_after_the_other(stage: Stage) -> None:
    call = stage.place(f'<Gather action="{ACTION}"/>', "1234", {"keys": "#", "after": 1})
    stage.skip(60)

    assert stage.answer(call, THANKS)[1] == {"Digits": "1234", "FinishedOnKey": "#"}
    assert [second for second, line, _ in stage.lines(call) if line == "pressed"] == [2, 2.5, 3, 3.5, 4.5]


def test_a_press_that_comes_after_the_timeout_waits_for_the_next_question(stage: Stage) -> None:
    call = stage.place(f'<Gather action="{ACTION}"/>', "9", {"keys": "1", "after": 6})
    stage.skip(60)
    first = stage.answer(call, f'<Response><Gather action="{ACTION}" timeout="10"/></Response>')
    second = stage.answer(call, THANKS)

    assert (first[1], second[1]) == ({"Digits": "9"}, {"Digits": "1"})


def test_keys_left_over_from_a_question_are_not_pressed_in_the_next(stage: Stage) -> None:
    call = stage.place(ASKS, "12", "3")
    stage.skip(60)
    stage.answer(call, f"<Response>{ASKS}</Response>")

    assert stage.answer(call, THANKS)[1] == {"Digits": "3"}


def test_a_key_is_pressed_live(stage: Stage) -> None:
    call = stage.place(ASKS)
    stage.skip(ANSWERED + 1)
    stage.account.press(call.sid, "2")

    assert stage.answer(call, THANKS)[1] == {"Digits": "2"}


def test_a_key_is_lost_while_nobody_waits_for_it(stage: Stage) -> None:
    call = stage.place(f"<Say>{QUESTION}</Say>{ASKS}")
    stage.skip(ANSWERED + 1)
    stage.account.press(call.sid, "1")

    assert transcript_of(call, stage.clock)[1] == {
        "second": 1,
        "line": "pressed",
        "text": "1",
        "cut_after": None,
        "counted": False,
    }
    assert call.conversation.asking is None


def test_a_key_is_lost_while_a_server_is_asked(stage: Stage) -> None:
    call = stage.place(ASKS)
    stage.skip(ANSWERED + 1)
    stage.account.press(call.sid, "12")

    assert stage.answer(call, THANKS)[1] == {"Digits": "1"}
    assert [each["counted"] for each in transcript_of(call, stage.clock) if each["line"] == "pressed"] == [
        True,
        False,
    ]


@pytest.mark.parametrize("moment", [0, 60])
def test_no_key_is_pressed_before_or_after_the_talk(stage: Stage, moment: float) -> None:
    call = stage.place(ASKS)
    stage.skip(moment)

    with pytest.raises(Problem) as refusal:
        stage.account.press(call.sid, "1")
    assert refusal.value.code == 21220


@pytest.mark.parametrize("keys", ["", "A", "1 2"])
def test_only_keys_of_a_phone_can_be_pressed(stage: Stage, keys: str) -> None:
    call = stage.place(ASKS)

    with pytest.raises(ValueError, match="no keys of a phone"):
        stage.account.press(call.sid, keys)


def test_who_does_not_answer_presses_no_keys() -> None:
    with pytest.raises(ValueError, match="nobody presses keys in a call with the outcome 'busy'"):
        as_endings({"outcome": "busy", "presses": ["1"]})


def test_the_callee_hangs_up_in_the_middle(stage: Stage) -> None:
    stage.account.script.set("+14155550001", as_endings({"outcome": "human", "talk": 1}))
    call = stage.place(ASKS, To="+14155550001")
    stage.skip(60)

    assert (seconds(call), call.conversation.asking) == (1, None)


def test_a_time_limit_ends_a_call_in_the_middle(stage: Stage) -> None:
    call = stage.place(ASKS, TimeLimit="2")
    stage.skip(60)

    assert (call.status, seconds(call)) == ("completed", 2)


def test_hanging_up_ends_a_call_at_once(stage: Stage) -> None:
    call = stage.place("<Pause length='2'/><Hangup/><Say>never</Say>")
    stage.skip(60)

    assert (seconds(call), stage.said(call)) == (2, [])


def test_twiml_waits_for_synchronous_detection_only(stage: Stage) -> None:
    waits = stage.place("<Say>hello</Say>", MachineDetection="Enable")
    at_once = stage.place("<Say>hello</Say>", MachineDetection="Enable", AsyncAmd="true")
    stage.skip(60)

    assert (stage.lines(waits)[0][0], stage.lines(at_once)[0][0]) == (4, 0)
    assert (seconds(waits), seconds(at_once)) == (12, 8)


def test_other_twiml_replaces_what_is_being_said(stage: Stage) -> None:
    call = stage.place(f"<Say>{'a' * 1500}</Say>")
    stage.skip(ANSWERED + 5)
    stage.account.change(call.sid, {"Twiml": "<Response><Say>Never mind.</Say><Hangup/></Response>"})
    stage.skip(60)

    assert stage.said(call)[1:] == ["Never mind."]
    assert seconds(call) == 6


def test_another_url_replaces_a_request_under_way(stage: Stage) -> None:
    call = stage.place("", Url=ACTION)
    stage.skip(ANSWERED)
    late = call.conversation.asking
    stage.account.change(call.sid, {"Url": "http://127.0.0.1/other"})
    assert late is not None
    answer = WebhookExchange(late.at, "POST", ACTION, (), 200, "text/xml", THANKS, 0)
    stage.account.take_answer(call, late, answer)

    assert stage.said(call) == []
    assert stage.answer(call, THANKS)[0] == "http://127.0.0.1/other"
    assert stage.said(call) == ["Thanks."]


def test_a_skip_does_not_end_a_call_that_waits_for_an_answer(stage: Stage) -> None:
    call = stage.place("", Url=ACTION, TimeLimit="30")
    stage.skip(1000)
    waiting = call.status
    stage.answer(call, f"<Response>{'<Say>' + 'a' * 150 + '</Say>'}</Response>")
    stage.skip(0)

    assert (waiting, call.status, seconds(call)) == ("in-progress", "completed", 10)


def test_a_server_that_takes_longer_than_the_callee_waits_is_too_late(stage: Stage) -> None:
    call = stage.place("", Url=ACTION, TimeLimit="3")
    stage.skip(1000)
    next_look = stage.account.next_instant()
    stage.real += 3
    stage.account.advance()

    assert next_look == 1_000_000 + 1000 + 3
    assert (call.status, seconds(call), call.conversation.asking) == ("completed", 3, None)


def test_new_twiml_that_cannot_be_read_is_told_to_the_fallback_and_stops_the_old(stage: Stage) -> None:
    call = stage.place("<Pause length='9'/><Say>never</Say>", FallbackUrl="http://127.0.0.1/fallback")
    stage.skip(ANSWERED + 1)
    stage.account.change(call.sid, {"Twiml": "<!DOCTYPE Response><Response/>"})
    stage.skip(60)

    assert stage.answer(call, THANKS)[1] == {"ErrorCode": "12100", "ErrorUrl": ""}
    assert stage.said(call) == ["Thanks."]


def test_what_a_slow_server_holds_up_is_looked_at_in_real_seconds(stage: Stage) -> None:
    stage.clock.speed = 100
    stage.place("", Url=ACTION, TimeLimit="30")
    stage.skip(1000)

    assert stage.account.next_instant() == pytest.approx(stage.clock.now() + 30)


def test_an_answer_that_comes_after_a_reset_changes_nothing(stage: Stage) -> None:
    call = stage.place("", Url=ACTION)
    stage.skip(60)
    stage.account.reset()
    stage.answer(call, THANKS)

    assert (stage.said(call), stage.account.next_instant()) == ([], None)


def test_the_method_of_the_first_url_is_not_that_of_the_next(stage: Stage) -> None:
    call = stage.place("", Url=ACTION, Method="GET")
    stage.skip(ANSWERED)
    first = call.conversation.asking
    stage.account.change(call.sid, {"Url": ACTION})
    second = call.conversation.asking

    assert first is not None and second is not None
    assert (first.ask.method, second.ask.method) == ("GET", "POST")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (("", None), 11200),
        (("", 500), 11200),
        (("", 404), 11200),
        (("", 302), 11200),
        ((THANKS, 200, ""), 11200),
        (("{}", 200, "application/json"), 12300),
        (("<Response>", 200), 12100),
        (("", 200), 12100),
        (("<response/>", 200), 12102),
        (("<!DOCTYPE Response><Response/>", 200), 12100),
        ((" " * 70_000, 200), 11750),
    ],
)
def test_an_answer_that_is_none_ends_the_call_with_an_apology(
    stage: Stage, answer: tuple[Any, ...], code: int
) -> None:
    call = stage.place(ASKS, "1")
    stage.skip(60)
    stage.answer(call, *answer)

    assert summary_of(call)["error_codes"] == [code]
    assert stage.said(call)[-1] == "We are sorry, an application error has occurred. Goodbye."
    assert (call.status, seconds(call)) == ("completed", 6)
    assert call.notifications[0].url == ACTION


def test_plain_text_is_said_and_audio_played(stage: Stage) -> None:
    said, played = stage.place("", Url=ACTION), stage.place("", Url=ACTION)
    stage.skip(60)
    stage.answer(said, "all is well", kind="text/plain; charset=utf-8")
    stage.answer(played, "", kind="audio/mpeg")

    assert (stage.said(said), seconds(played)) == (["all is well"], 10)


def test_a_fallback_is_asked_with_the_error(stage: Stage) -> None:
    call = stage.place("", Url=ACTION, FallbackUrl="http://127.0.0.1/fallback")
    stage.skip(60)
    stage.answer(call, "", 500)
    asked = stage.answer(call, THANKS)

    assert asked == ("http://127.0.0.1/fallback", {"ErrorCode": "11200", "ErrorUrl": ACTION})
    assert stage.said(call) == ["Thanks."]


def test_a_fallback_that_fails_too_is_not_asked_again(stage: Stage) -> None:
    call = stage.place("", Url=ACTION, FallbackUrl="http://127.0.0.1/fallback")
    stage.skip(60)
    stage.answer(call, "", 500)
    stage.answer(call, "", 500)

    assert summary_of(call)["error_codes"] == [11200, 11200]
    assert (call.status, seconds(call)) == ("completed", 4)


@pytest.mark.parametrize("twiml", ['<Gather numDigits="1"/>', '<Gather numDigits="1" action="/keys"/>'])
def test_inline_twiml_needs_an_absolute_action(stage: Stage, twiml: str) -> None:
    call = stage.place(twiml, "1")
    stage.skip(60)

    assert summary_of(call)["error_codes"] == [15004]


def test_mistakes_are_warnings_and_the_call_goes_on(stage: Stage) -> None:
    call = stage.place('<Say voise="x">hello</Say><Shout>no</Shout><Enqueue>q</Enqueue><Say>bye</Say>')
    stage.skip(60)

    assert stage.said(call) == ["hello", "bye"]
    assert [(each.error_code, each.is_error) for each in call.notifications] == [(12200, False)] * 2
    assert ("not simulated", "Enqueue") in [line[1:] for line in stage.lines(call)]


def test_redirects_without_a_word_in_between_are_bounded(stage: Stage) -> None:
    call = stage.place("", Url=ACTION)
    stage.skip(3)
    requests = 0
    while call.conversation.asking is not None:
        stage.answer(call, f"<Response><Redirect>{ACTION}</Redirect></Response>")
        requests += 1
    stage.skip(60)

    assert (requests, summary_of(call)["error_codes"]) == (50, [11215])
    assert call.status == "completed"


@pytest.mark.parametrize(
    ("twiml", "params"),
    [
        (f'<Record action="{ACTION}" timeout="2"/>', {"RecordingDuration": "5"}),
        (f'<Record action="{ACTION}" maxLength="4"/>', {"RecordingDuration": "4"}),
        (f'<Dial action="{ACTION}">+1</Dial>', {"DialCallStatus": "completed", "DialCallDuration": "10"}),
        (
            f'<Dial action="{ACTION}" timeLimit="6"/>',
            {"DialCallStatus": "completed", "DialCallDuration": "6"},
        ),
    ],
)
def test_recording_and_dialing_take_their_time(stage: Stage, twiml: str, params: dict[str, str]) -> None:
    call = stage.place(twiml)
    stage.skip(60)

    assert stage.answer(call, "<Response/>")[1] == params
    assert seconds(call) == int(params.get("RecordingDuration") or params["DialCallDuration"])


def test_a_key_ends_a_recording(stage: Stage) -> None:
    call = stage.place(f'<Record action="{ACTION}"/>')
    stage.skip(ANSWERED + 4)
    stage.account.press(call.sid, "#")

    assert stage.answer(call, "<Response/>")[1] == {"RecordingDuration": "4", "Digits": "#"}


def test_a_call_that_is_hung_up_sends_nothing_to_its_action(stage: Stage) -> None:
    call = stage.place(ASKS, {"keys": "1", "after": 4})
    stage.skip(ANSWERED + 1)
    stage.account.end(call.sid, CallStatus.COMPLETED)
    stage.skip(60)

    assert (seconds(call), stage.lines(call)) == (1, [(0, "said", QUESTION)])
