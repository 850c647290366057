"""Where a task and the receiver leave things for one another: a question, and its answer.

From Airflow 3.3 on that is the task state store, which survives tries. Before, it is the task's XComs, which Airflow
clears at every new try. The receiver's side is ``plugins/task_record.py``.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from airflow_provider_twiliocall.answers.answer import Answer
from airflow_provider_twiliocall.answers.question import Question
from airflow_provider_twiliocall.journal.store import store_of

QUESTION: Final = "twilio_call_question"
ANSWER: Final = "twilio_call_answer"


class Mailbox:
    """A task instance's side.

    :param context: of the task
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._store = store_of(context)
        self._ti = context["ti"]

    def ask(self, question: Question) -> None:
        """Leave a question, so that the receiver knows what a key means. To be called before dialling.

        :raises Exception: Airflow cannot keep it: don't dial
        """
        if self._store is not None:
            self._store.set(QUESTION, question.to_json())
        else:
            self._ti.xcom_push(key=QUESTION, value=question.to_json())

    def answer(self, token: str | None) -> Answer | None:
        """Return what was answered to this run of the task; None for nothing.

        :param token: of the run
        :raises Exception: that cannot be read now
        """
        if token is None:
            return None
        if self._store is not None:
            kept = self._store.get(ANSWER)
        else:
            ti = self._ti
            kept = ti.xcom_pull(task_ids=ti.task_id, key=ANSWER, map_indexes=ti.map_index)
        return answer_to(token, kept)


def answer_to(token: str, kept: Mapping[str, Any] | str | None) -> Answer | None:
    """Return an answer that was kept if it is to the question with this token."""
    # Airflow 3.1 hands out as text what its API server has written.
    value = json.loads(kept) if isinstance(kept, str) else kept
    answer = Answer.from_json(value) if value else None
    return answer if answer and hmac.compare_digest(answer.token, token) else None
