"""What becomes of a key: it is kept before the callee hears thanks; any other is asked for again."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import pendulum

from airflow_provider_twiliocall.answers.answer import Answer
from airflow_provider_twiliocall.answers.question import response
from airflow_provider_twiliocall.plugins.task_record import TaskKey, TaskRecord

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOT_ASKED = response("<Hangup/>")
"""For who answers a question that nobody asks any more."""


def reply_to_key(
    session: Session, task: TaskKey, *, token: str, call_sid: str, key: str, asked: int, again_at: str
) -> str:
    """Keep the answer of a callee, if it is one; return the TwiML with which the call goes on.

    :param token: of the question that was heard
    :param key: what was pressed; empty for nothing
    :param asked: how often the question was heard by now
    :param again_at: where Twilio is to send the key if it is asked once more
    """
    record = TaskRecord(session, task)
    # Two requests may come at once; the first answer is the one that counts.
    record.lock()
    question = record.question()
    if question is None or not hmac.compare_digest(question.token.encode(), token.encode()):
        return NOT_ASKED
    answer = record.answer(question)
    if answer is None:
        if key not in question.options:
            return question.twiml(again_at) if asked < question.ask_times else question.goodbye_twiml()
        at = pendulum.now("UTC").to_iso8601_string()
        answer = Answer(token, call_sid, key, question.options[key], at)
        record.keep(answer)
    return question.thanks_twiml(answer.key)
