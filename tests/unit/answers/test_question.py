"""A question: TwiML that takes a key, and what Airflow keeps of it."""

from __future__ import annotations

from xml.etree import ElementTree

from airflow_provider_twiliocall.answers.answer import Answer
from airflow_provider_twiliocall.answers.mailbox import ANSWER, Mailbox
from airflow_provider_twiliocall.answers.question import Question
from tests.support.task_context import RecordingTaskInstance, StateStore, context

QUESTION = Question(
    "token",
    {"1": "confirm"},
    "<Pause length='1'/><Say>Press 1 &amp; wait.</Say>",
    "<Say>Thanks.</Say>",
    "",
    2,
)
ANSWERED = Answer("token", "CA1", "1", "confirm", "2026-11-27T12:00:00Z")


def test_keys_are_taken_while_the_words_are_said() -> None:
    gather = ElementTree.fromstring(QUESTION.twiml("https://example.com/a?b&c"))[0]
    assert gather.tag == "Gather"
    assert [child.tag for child in gather] == ["Pause", "Say"]
    assert gather.get("action") == "https://example.com/a?b&c"
    assert (gather.get("numDigits"), gather.get("actionOnEmptyResult")) == ("1", "true")


def test_thanks_and_goodbye_end_the_call() -> None:
    assert [child.text for child in ElementTree.fromstring(QUESTION.thanks_twiml("1"))] == ["Thanks."]
    assert list(ElementTree.fromstring(QUESTION.goodbye_twiml())) == []


def test_it_is_read_as_it_was_kept() -> None:
    assert Question.from_json({**QUESTION.to_json(), "of a later version": 1}) == QUESTION


def test_a_task_finds_the_answer_to_its_own_question() -> None:
    store = StateStore()
    mailbox = Mailbox(context(None, store))
    mailbox.ask(QUESTION)
    assert mailbox.answer("token") is None
    store.set(ANSWER, ANSWERED.to_json())
    assert mailbox.answer("token") == ANSWERED
    assert mailbox.answer("of another run") is None
    assert mailbox.answer(None) is None


def test_without_a_store_xcoms_keep_it() -> None:
    ti = RecordingTaskInstance()
    mailbox = Mailbox(context(ti))
    mailbox.ask(QUESTION)
    ti.xcoms[ANSWER] = ANSWERED.to_json()
    assert mailbox.answer("token") == ANSWERED
