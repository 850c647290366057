"""One try of a task that rings phones: take up or dial, wait, and dial again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_twiliocall.calls.no_redial import no_redial_of
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.placement import Placed
from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
    TwilioConnectionError,
    TwilioConnectionNotFoundError,
)
from airflow_provider_twiliocall.journal.attempt import CallAttempt
from airflow_provider_twiliocall.journal.entry import State
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.journal.xcom import CALL_SID
from airflow_provider_twiliocall.operators.call_answers import CallAnswers
from airflow_provider_twiliocall.operators.call_callbacks import CallCallbacks
from airflow_provider_twiliocall.operators.call_dial import CallDial
from airflow_provider_twiliocall.operators.call_wait import CallWait
from airflow_provider_twiliocall.operators.call_xcoms import CallXComs
from airflow_provider_twiliocall.operators.failure import failure_of, without_multiplying_rings
from airflow_provider_twiliocall.operators.step import Next, Step
from airflow_provider_twiliocall.twilio.params import CallParamsError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.answers.answer import Answer
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.operators.call_task import CallTask


class CallRun:
    """What one try of a task knows and does, in one process.

    What an earlier try has begun comes first: :class:`.CallDial` takes over its call, or dials; :class:`.CallWait`
    waits for it. Only what is about to be dialled is checked. Which step comes next, and what an outcome means, the
    operator says.

    :param task: the operator
    :param due_step: the number of the step that a pause has waited for, if this process goes on after it
    :param is_new_try: whether the try begins here, and not after a deferral
    """

    def __init__(
        self,
        task: CallTask,
        context: Context,
        journal: CallJournal,
        *,
        due_step: int | None = None,
        is_new_try: bool = False,
    ) -> None:
        self.task = task
        self.context = context
        self.journal = journal
        self.due_step = due_step
        self.is_new_try = is_new_try
        self._xcoms = CallXComs(context)
        self._answers = CallAnswers(task, context, journal, self._xcoms)
        self._wait = CallWait(task, journal, self._xcoms, self._answers.judge)
        callbacks = CallCallbacks(task, context, journal)
        self._dial = CallDial(task, context, journal, callbacks, is_stopped=lambda: self._wait.is_stopped)

    # As the operator is called ----------------------------------------------------------------------------

    def ring(self) -> Any:
        """Place the call, or take up the one an earlier try has placed."""
        return self._to_the_end(self._take_up_or_dial)

    def go_on_after_wait(self, event: dict[str, Any], account_sid: str | None) -> Any:
        """Go on after the trigger that waited for a call has fired.

        :param event: that of the trigger; or that of the receiver, which says to look at the call
        :param account_sid: whose call it is, where that is not what the arguments say
        """
        if event.get("look"):
            return self._to_the_end(lambda: self._dial_after(self._look_at(event["call_sid"])))
        return self._to_the_end(lambda: self._dial_after(self._wait.conclude(event, account_sid)))

    def _look_at(self, call_sid: str) -> CallOutcome:
        """Look at a call that Twilio says is over, and wait on if it is not."""
        with no_redial_of(call_sid, self.journal):
            self.journal.read()
        step, _ = self._begun_step(self.journal.step)
        return self._wait.wait_again(call_sid, step, is_prompted=True)

    def wait_again(self, *, out_of_time: bool) -> Any:
        """Go on after a deferral that broke off.

        :param out_of_time: whether nobody took up the trigger's event in time
        """
        ti = self.context["ti"]
        with no_redial_of("of this task", self.journal):
            call_sid = self.journal.call_sid() or ti.xcom_pull(
                task_ids=ti.task_id, key=CALL_SID, map_indexes=ti.map_index
            )
        # What broke off may have been a pause.
        has_ended = self.journal.is_ended_by_us or call_sid in self._ended_sids
        may_have_paused = self.journal.is_kept and self.task.redials and not out_of_time
        if call_sid is None or has_ended or may_have_paused:
            return self.ring()

        def go_on() -> CallOutcome:
            if out_of_time:
                return self._wait.time_out(call_sid, "nobody took the trigger's event in time")
            step, _ = self._begun_step(self.journal.step)
            return self._wait.wait_again(call_sid, step)

        return self._to_the_end(lambda: self._dial_after(go_on()))

    def on_kill(self) -> None:
        """End the call as ``when_killed`` says; runs in a signal handler."""
        self._wait.on_kill()

    # One call after the other -----------------------------------------------------------------------------

    def _take_up_or_dial(self) -> CallOutcome:
        earlier = self.journal.read()
        if (
            earlier is None
            or earlier.state is State.NOT_PLACED
            or (earlier.call_sid and earlier.call_sid in self._ended_sids)
        ):
            return self._dial_after(None)
        step, problem = self._begun_step(earlier.step)
        match self._dial.take_over(earlier, step, problem):
            case Placed() as placed:
                was_over = placed.call is not None and placed.call.status.is_terminal
                is_earlier = was_over and placed.call_sid == earlier.call_sid
                return self._dial_after(self._wait.wait_for(placed, step), is_earlier=is_earlier)
            case CallOutcome() as outcome:
                return self._dial_after(outcome, is_earlier=outcome.call is not None)
            case _:
                return self._dial_after(None)

    @property
    def _ended_sids(self) -> set[str]:
        return {attempt.call_sid for attempt in self.journal.attempts if attempt.call_sid}

    def _begun_step(self, number: int) -> tuple[Step | None, str | None]:
        """Return a step that was begun; or None, and why: what was dialled before needs none of today's arguments."""
        try:
            return self.task.step(self.context, number), None
        except (ValueError, TwilioConnectionError, TwilioConnectionNotFoundError) as error:
            return None, str(error)

    def _dial_after(self, outcome: CallOutcome | None, *, is_earlier: bool = False) -> CallOutcome:
        """Dial, if that is what is to be done, until an outcome is final.

        :param outcome: that of the call which this process has taken up; None where there is none
        :param is_earlier: whether it was over before this try began: then this try is the retry that dials again
        """
        while outcome is None or self._is_followed_by_a_dial(outcome, is_earlier=is_earlier):
            if outcome is not None:
                self._remember(outcome)
            if answered := self._answers.earlier_answer():
                return answered
            step = self._next_step()
            dialled = self._dial.dial(step)
            outcome = self._wait.wait_for(dialled, step) if isinstance(dialled, Placed) else dialled
            is_earlier = False
        return outcome

    def _is_followed_by_a_dial(self, outcome: CallOutcome, *, is_earlier: bool) -> bool:
        match self.task.next_after(outcome):
            case Next.DIAL:
                return True
            case Next.RETRY:
                return is_earlier
            case _:
                return False

    def _next_step(self) -> Step:
        try:
            return self.task.next_step(self)
        except CallParamsError as error:
            listed = "\n".join(f"- {problem}" for problem in error.problems)
            raise TwilioCallRefusedError(
                f"{self.nothing_dialled()}; fix these arguments:\n{listed}"
            ) from None
        except ValueError as error:
            raise TwilioCallRefusedError(f"{self.nothing_dialled()}: {error}") from None

    def nothing_dialled(self) -> str:
        """Say that nothing, or nothing more, was dialled."""
        return self._dial.nothing_dialled()

    def _remember(self, outcome: CallOutcome) -> None:
        self.task.log.warning("%s", outcome.why)
        if outcome.reason is Reason.TOO_LATE:
            # Nothing was dialled; what comes of that is the next step's to say.
            return
        if not self.journal.is_begun:
            # A process that has only waited does not know yet what was dialled before.
            self.journal.read()
        self.journal.remember(self._attempt_of(outcome))
        if outcome.call is None or outcome.reason is Reason.UNKNOWN:
            # There may be no call that could be asked for how it went.
            self.journal.flush()
        self.push_dials()
        self._wait.forget()
        self._dial.forget()

    def _attempt_of(self, outcome: CallOutcome) -> CallAttempt:
        step = None if outcome.call else self._begun_step(self.journal.step)[0]
        return outcome.to_attempt(step=self.journal.step, callee=step.params.to if step else None)

    # The end ----------------------------------------------------------------------------------------------

    def _to_the_end(self, work: Callable[[], CallOutcome]) -> Any:
        """Do it; end the call where the task's execution_timeout strikes; succeed or fail by what became of it."""
        outcome: CallOutcome | None = None
        try:
            try:
                outcome = work()
            except AirflowTaskTimeout:
                outcome = self._out_of_time()
            self._fail_unless_it_succeeded(outcome)
        except (AirflowException, AirflowTaskTimeout) as error:
            if not self.task.redials:
                raise
            self._push_all_dials(outcome)
            failure = without_multiplying_rings(error, self.journal)
            if failure is error:
                raise
            raise failure from None
        if self.task.redials:
            self._push_all_dials(outcome)
        return self.task.result(self, outcome)

    def _fail_unless_it_succeeded(self, outcome: CallOutcome) -> None:
        match self.task.next_after(outcome):
            case Next.SUCCEED:
                if outcome.why:
                    self.task.log.info(outcome.why)
                return
            case Next.DIAL:
                # There is no time left for it. A retry dials, unless somebody was rung in vain.
                is_for_good = not outcome.reason.is_by_us
            case what_next:
                is_for_good = what_next is Next.GIVE_UP
        raise failure_of(outcome, for_good=is_for_good) from None

    def _out_of_time(self) -> CallOutcome:
        """End the call of a task whose execution_timeout has struck, which is the error being handled."""
        call_sid = self._wait.call_sid or self._dial.find_call()
        if call_sid is None or self._wait.is_out_of_time:
            raise
        return self._wait.time_out(call_sid, "the task's execution_timeout is over")

    @property
    def answer(self) -> Answer | None:
        """What the callee has answered with a key; None where that was not asked for."""
        return self._answers.latest

    # What people see --------------------------------------------------------------------------------------

    def push_dials(self) -> None:
        """Tell people of the calls that this run has seen to their end."""
        if self.task.redials:
            self._xcoms.show_dials(self.journal)

    def _push_all_dials(self, outcome: CallOutcome | None) -> None:
        """Tell of all the calls of this run, the last one included, also where it is not over."""
        try:
            self.journal.read()
        except TwilioCallNotPlacedError as unread:
            self.task.log.warning("What was dialled before is not known: %s", unread)
        if outcome is not None and outcome.call:
            self.journal.remember(self._attempt_of(outcome))
        elif self._xcoms.last_shown:
            self.journal.remember(CallAttempt.of(self._xcoms.last_shown, None, step=self.journal.step))
        self.push_dials()
