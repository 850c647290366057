"""What the callees of one try have answered with keys; the one seam for where an answer comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_twiliocall.answers.mailbox import Mailbox
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.exceptions import TwilioCallInterruptedError
from airflow_provider_twiliocall.journal.reason import Reason

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.answers.answer import Answer
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.operators.call_task import CallTask
    from airflow_provider_twiliocall.operators.call_xcoms import CallXComs
    from airflow_provider_twiliocall.twilio.call import Call


class CallAnswers:
    """Knows whether somebody has answered, for a task that asks.

    :ivar latest: what was answered last, as far as it was looked at
    """

    def __init__(self, task: CallTask, context: Context, journal: CallJournal, xcoms: CallXComs) -> None:
        self._task = task
        self._journal = journal
        self._xcoms = xcoms
        self._mailbox = Mailbox(context)
        self.latest: Answer | None = None

    def judge(self, call: Call) -> CallOutcome:
        """Say what the end of a call means for the task, its answer included.

        :raises TwilioCallInterruptedError: the answer cannot be read now
        """
        outcome = self._task.judge(call)
        if not self._task.asks:
            return outcome
        answer = self._find()
        self._xcoms.show_answer(answer)
        return self._task.judge_answer(outcome, answer)

    def earlier_answer(self) -> CallOutcome | None:
        """Return the outcome of a run in which somebody has answered: nobody is rung any more then.

        :raises TwilioCallInterruptedError: that cannot be read now
        """
        answer = self._find() if self._task.asks else None
        if answer is None:
            return None
        outcome = self._task.judge_answer(CallOutcome(Reason.NO_KEY, call_sid=answer.call_sid), answer)
        if outcome.reason is not Reason.COMPLETED:
            return None
        self._xcoms.show_answer(answer)
        return outcome

    def _find(self) -> Answer | None:
        try:
            if not self._journal.is_begun:
                # A process that has only waited has not read it yet.
                self._journal.read()
            self.latest = self._mailbox.answer(self._journal.token)
            return self.latest
        except Exception as error:
            raise TwilioCallInterruptedError(
                f"Whether a key was pressed cannot be read from Airflow now ({error}). A retry looks again"
            ) from error
