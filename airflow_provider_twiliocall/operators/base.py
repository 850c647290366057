"""What the operators that ring phones have in common: take up or dial, wait, and dial on."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.operators.waiting_operator import DEFERRAL_SLACK_S, WaitingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.calls.monitor import CallMonitor
    from airflow_provider_twiliocall.calls.placement import Placed, Placement
    from airflow_provider_twiliocall.calls.takeover import Takeover
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.journal.entry import Entry
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

_WAS_ENDED = "The call before was ended by this task, and no other is placed"


@dataclass(frozen=True)
class Step:
    """One of the calls that a task may place, one after the other.

    :param number: from 0
    :param params: complete, with the number to call from
    :param latest_ring: Unix time after which the call must not begin to ring any more
    """

    number: int
    params: CreateCallParams
    latest_ring: float = math.inf


class CallOperator(WaitingOperator):
    """A task that places calls, one at a time, until one of them is what it wants or no step is left.

    What an earlier try has begun comes first: :mod:`.takeover` takes up its call, :mod:`.monitor` waits for it and
    judges it. Only what is about to be dialled is checked. Which call comes next, and when, is what the operators
    differ in.
    """

    delivery: Literal["at_most_once", "at_least_once"]

    # Of one try: what takes up an earlier try's call, what places its own, and the step that has come to its end last.
    _takeover: Takeover | None = None
    _placement: Placement | None = None
    _ended_step: int | None = None
    # Whether it has yet to find its place.
    _is_new_try = False

    # What the operators differ in -------------------------------------------------------------------------

    @property
    @abstractmethod
    def redials(self) -> bool:
        """Whether after a call that ended badly the next one is this task's own business, not that of its retries."""

    @abstractmethod
    def step(self, context: Context, number: int) -> Step:
        """Return a step that an earlier try, or part of this one, has begun.

        :raises ValueError: it cannot be dialled as it is; says what to fix
        """

    @abstractmethod
    def next_step(self, context: Context, journal: CallJournal, *, due_step: int | None) -> Step:
        """Return the step to dial now; may :meth:`pause` first.

        :param due_step: the number of the step that :meth:`pause` has waited for, if this process goes on after it
        :raises AirflowSkipException: it is not to be dialled
        :raises TwilioCallEndedForGoodError: none is left
        :raises ValueError: it cannot be dialled as it is; says what to fix
        """

    @property
    def redials_after_queue_timeout(self) -> bool:
        """Whether a call that Twilio's queue has kept for too long leaves something for this try to do."""
        return False

    def passes_over(self, error: AirflowException) -> bool:
        """Say whether the next step is worth taking though this one came to nothing, or to nothing that can be told.

        Not asked about a call that was seen to its end: :meth:`judge` says what that means.
        """
        return False

    def result(self, call_sid: str, journal: CallJournal) -> Any:
        """Return what the task returns once a call was what it wanted."""
        return call_sid

    # As Airflow calls it ----------------------------------------------------------------------------------

    def execute(self, context: Context) -> Any:
        """Place the call, or take up the one an earlier try has placed; wait for it if asked to.

        :raises TwilioCallRefusedError: before or instead of dialling, not to be retried
        """
        from airflow_provider_twiliocall.journal.call_journal import CallJournal

        self._is_new_try = True
        return self._ring(context, CallJournal.of(context))

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,
        journal: dict[str, Any] | None = None,
        account_sid: str | None = None,
    ) -> Any:
        """Go on after the trigger that waited for a call has fired.

        :param account_sid: whose call it is, where that is not what the arguments say
        """
        from airflow_provider_twiliocall.calls.monitor import no_redial_of
        from airflow_provider_twiliocall.calls.watch import WaitResult
        from airflow_provider_twiliocall.journal.call_journal import CallJournal

        event = event or {}
        opened = CallJournal.of(context, journal)
        self._started = clock.time()
        self._call_sid = event.get("call_sid")

        def go_on() -> str:
            with no_redial_of(self._call_sid or "(the trigger's event does not say which)", opened):
                monitor = self._monitor_of(context, event["call_sid"], opened, account_sid=account_sid)
                return monitor.conclude(WaitResult.from_event(event))

        return self._by_the_clock(context, opened, partial(self._see_through, context, opened, go_on))

    def execute_next_call(
        self,
        context: Context,
        event: Any = None,
        journal: dict[str, Any] | None = None,
        due_step: int | None = None,
    ) -> Any:
        """Go on after a pause."""
        from airflow_provider_twiliocall.journal.call_journal import CallJournal

        return self._ring(context, CallJournal.of(context, journal), due_step=due_step)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as Airflow does, but a wait that broke off is no reason to forget the call, or to dial again."""
        from airflow_provider_twiliocall.compat import TaskDeferralError, TaskDeferralTimeout

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            self.log.warning("The wait broke off: %s", error)
            return self._wait_again(context, out_of_time=isinstance(error, TaskDeferralTimeout))

    # One call after the other -----------------------------------------------------------------------------

    def _ring(self, context: Context, journal: CallJournal, *, due_step: int | None = None) -> Any:
        self._started = clock.time()
        work = partial(self._take_up_or_dial, context, journal, due_step)
        return self._by_the_clock(context, journal, work)

    def _take_up_or_dial(self, context: Context, journal: CallJournal, due_step: int | None) -> str:
        from airflow_provider_twiliocall.journal.entry import State

        earlier = journal.read()
        if (
            earlier is None
            or earlier.state is State.NOT_PLACED
            or earlier.call_sid in {attempt.call_sid for attempt in journal.attempts if attempt.call_sid}
        ):
            return self._dial_on(context, journal, due_step=due_step)
        step, placed = None, None
        try:
            step, problem = self._begun_step(context, earlier.step)
            placed = self._take_over(context, journal, earlier, step, problem)
        except AirflowException as error:
            if earlier.max_tries != journal.max_tries or not self._goes_on_after(context, error):
                raise
            self._remember(context, journal, error)
        if placed is None:
            return self._dial_on(context, journal, due_step=due_step)
        is_over = placed.call is not None and placed.call.status.is_terminal
        return self._see_through(
            context,
            journal,
            partial(self._go_on_with, context, journal, step, placed),
            is_earlier=is_over and placed.call_sid == earlier.call_sid,
            due_step=due_step,
        )

    def _take_over(
        self, context: Context, journal: CallJournal, earlier: Entry, step: Step | None, problem: str | None
    ) -> Placed | None:
        from airflow_provider_twiliocall.calls.takeover import Takeover

        self._placement = self._placement_of(context, step, journal) if step else None
        self._takeover = Takeover(
            self.hook,
            journal,
            earlier,
            self._placement,
            problem,
            delivery=self.delivery,
            when_killed=self.when_killed,
        )
        return self._takeover.take_over()

    def _begun_step(self, context: Context, number: int) -> tuple[Step | None, str | None]:
        """Return a step that was begun; or None, and why: what was dialled before needs none of today's arguments."""
        from airflow_provider_twiliocall.exceptions import (
            TwilioConnectionError,
            TwilioConnectionNotFoundError,
        )

        try:
            return self.step(context, number), None
        except (ValueError, TwilioConnectionError, TwilioConnectionNotFoundError) as error:
            return None, str(error)

    def _see_through(
        self,
        context: Context,
        journal: CallJournal,
        wait_for: Callable[[], str],
        *,
        is_earlier: bool = False,
        due_step: int | None = None,
    ) -> str:
        """Wait for a call, and dial on where it ends badly.

        :param is_earlier: whether it was over before this try began: its end is the earlier try's failure, not ours
        """
        try:
            return wait_for()
        except AirflowException as error:
            if not self._goes_on_after(context, error, is_earlier=is_earlier):
                raise
            # A process that has only waited does not know yet what was dialled before.
            journal.read()
            self._remember(context, journal, error)
        return self._dial_on(context, journal, due_step=due_step)

    def _dial_on(self, context: Context, journal: CallJournal, *, due_step: int | None = None) -> str:
        from airflow_provider_twiliocall.exceptions import TwilioCallTooLateError

        while True:
            step = self._next_step(context, journal, due_step)
            # What this try has learnt of an unclear request is the next one's business too, if it is for the same.
            if self._placement is None or self._placement.step != step.number:
                self._placement = self._placement_of(context, step, journal)
            try:
                # What was begun before a window closed may be dialled when it has opened.
                self._placement.latest_ring = step.latest_ring
                return self._go_on_with(context, journal, step, self._placement.dial())
            except TwilioCallTooLateError as error:
                # Nothing was dialled; what comes of that is the next step's to say.
                self.log.warning("%s", error)
            except AirflowException as error:
                if not self._goes_on_after(context, error):
                    raise
                self._remember(context, journal, error)

    def _next_step(self, context: Context, journal: CallJournal, due_step: int | None) -> Step:
        from airflow_provider_twiliocall.exceptions import TwilioCallRefusedError
        from airflow_provider_twiliocall.twilio.params import CallParamsError

        try:
            return self.next_step(context, journal, due_step=due_step)
        except CallParamsError as error:
            listed = "\n".join(f"- {problem}" for problem in error.problems)
            raise TwilioCallRefusedError(
                f"{self.nothing_dialled(journal)}; fix these arguments:\n{listed}"
            ) from None
        except ValueError as error:
            raise TwilioCallRefusedError(f"{self.nothing_dialled(journal)}: {error}") from None

    def nothing_dialled(self, journal: CallJournal) -> str:
        """Say that nothing, or nothing more, was dialled, without a word that a phone which may ring would belie."""
        from airflow_provider_twiliocall.operators.redial import named_endings

        if self._takeover is not None and self._takeover.may_ring:
            return f"{self._takeover.subject} is left alone and may still ring. No other was placed"
        if self._placement is not None and self._placement.is_unclear:
            return "A call may have been placed, and its phone may ring. No other was placed"
        attempts = [attempt for attempt in journal.attempts if not attempt.ended_by_us]
        if attempts:
            return f"Nothing more was dialled (before: {named_endings(attempts)})"
        return _WAS_ENDED if journal.attempts else "Nothing was dialled"

    def _goes_on_after(self, context: Context, error: AirflowException, *, is_earlier: bool = False) -> bool:
        from airflow_provider_twiliocall.exceptions import TwilioCallUnansweredError

        if not isinstance(error, TwilioCallUnansweredError):
            return not self._is_stopped and self.passes_over(error)
        if error.ended_by_us and not is_earlier:
            # Where its time to ring was over, the next step's rules say what comes of that.
            return not self._is_stopped and (error.was_too_late or self.redials_after_queue_timeout)
        return is_earlier or self.redials

    def _remember(self, context: Context, journal: CallJournal, error: AirflowException) -> None:
        from airflow_provider_twiliocall.exceptions import TwilioCallUnansweredError
        from airflow_provider_twiliocall.journal.attempt import CallAttempt

        self.log.warning("%s", error)
        if isinstance(error, TwilioCallUnansweredError):
            journal.remember(CallAttempt.of(error.call, step=journal.step, ended_by_us=error.ended_by_us))
        else:
            step, _ = self._begun_step(context, journal.step)
            callee = step.params.to if step else None
            call_sid = self._sid_known_so_far()
            status = _status_without_an_end(error, call_sid)
            journal.remember(
                CallAttempt.of_problem(str(error), callee, status, step=journal.step, call_sid=call_sid)
            )
            # There may be no call that could be asked for how it went.
            journal.flush()
        if self.redials:
            self._push(context, dials=[attempt.to_json() for attempt in journal.attempts])
        self._ended_step = journal.step
        # Neither a signal nor the clock has anything to do with that call any more.
        self._call_sid = self._monitor = self._takeover = self._placement = None

    def _go_on_with(self, context: Context, journal: CallJournal, step: Step | None, placed: Placed) -> str:
        """Wait for a call if asked to.

        :param step: what it is for; None where this try's arguments cannot be used for it
        """
        from airflow_provider_twiliocall.calls.monitor import no_redial_of

        self._call_sid = placed.call_sid
        with no_redial_of(placed.call_sid, journal):
            monitor = self._monitor_of(context, placed.call_sid, journal)
            self._push(context, call_sid=placed.call_sid)
            if placed.call:
                self._push(context, call=placed.call.to_dict())
            latest_ring = step.latest_ring if step else math.inf
            if step is None:
                # What an earlier try has promised of the queue is to be kept.
                latest_ring = journal.queue_deadline_of(placed.call_sid) or math.inf
            if not self.wait_for_completion and math.isinf(latest_ring):
                self._detach(monitor)
                return placed.call_sid
            return self._wait_for(monitor, journal, step, placed.call)

    def _wait_for(
        self, monitor: CallMonitor, journal: CallJournal, step: Step | None, call: Call | None
    ) -> str:
        poll = monitor.poll(
            call,
            step.params if step else None,
            timeout_at=self._timeout_at(),
            latest_ring=step.latest_ring if step else math.inf,
        )
        return self._wait(monitor, poll, journal)

    def pause(self, until: float, journal: CallJournal, why: str, *, step: int) -> NoReturn:
        """Defer to a moment, a Unix time, and dial then.

        :param step: the number of the step that is due then
        """
        import pendulum
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        from airflow_provider_twiliocall.triggers.twilio_call import SHORTEST_DEFERRAL_S

        journal.flush()
        moment = pendulum.from_timestamp(max(until, clock.time() + SHORTEST_DEFERRAL_S))
        self.log.info("Dialling at %s: %s.", moment.to_datetime_string() + " UTC", why)
        carried = journal.to_carry()
        # Should no triggerer be there, a retry of the deferral knows from the journal that it has paused; without one
        # it could not tell, and had better wait.
        timeout = moment.timestamp() - clock.time() + DEFERRAL_SLACK_S if journal.is_kept else None
        self.defer(
            trigger=DateTimeTrigger(moment),
            method_name="execute_next_call",
            kwargs={"due_step": step} | ({"journal": carried} if carried else {}),
            timeout=None if timeout is None else timedelta(seconds=timeout),
        )

    def _placement_of(self, context: Context, step: Step, journal: CallJournal) -> Placement:
        from airflow_provider_twiliocall.calls.placement import Placement
        from airflow_provider_twiliocall.journal.claims import CallClaims

        dag = self.get_dag()
        placing = [task.task_id for task in dag.tasks if _places_calls(task)] if dag else []
        claims = CallClaims(context["ti"], placing)
        return Placement(
            self.hook,
            step.params,
            journal,
            step=step.number,
            latest_ring=step.latest_ring,
            queue_timeout=self.queue_timeout_s,
            delivery=self.delivery,
            when_killed=self.when_killed,
            others=claims.of_others,
            claim=claims.claim,
            is_stopped=lambda: self._is_stopped,
        )

    # Waiting ----------------------------------------------------------------------------------------------

    def _wait_again(self, context: Context, *, out_of_time: bool) -> Any:
        from airflow_provider_twiliocall.calls.monitor import no_redial_of
        from airflow_provider_twiliocall.journal.call_journal import CallJournal

        ti = context["ti"]
        journal = CallJournal.of(context)
        self._started = clock.time()
        with no_redial_of("of this task", journal):
            call_sid = journal.call_sid() or ti.xcom_pull(
                task_ids=ti.task_id, key="call_sid", map_indexes=ti.map_index
            )
        # What broke off may have been a pause.
        has_ended = journal.is_ended_by_us or call_sid in {attempt.call_sid for attempt in journal.attempts}
        if call_sid is None or has_ended or (journal.is_kept and self.redials and not out_of_time):
            return self._ring(context, journal)
        self._call_sid = call_sid

        def go_on() -> str:
            with no_redial_of(call_sid, journal):
                monitor = self._monitor_of(context, call_sid, journal)
                if out_of_time:
                    return monitor.time_out("nobody took the trigger's event in time")
                step, _ = self._begun_step(context, journal.step)
                return self._wait_for(monitor, journal, step, None)

        return self._by_the_clock(context, journal, partial(self._see_through, context, journal, go_on))

    def _by_the_clock(self, context: Context, journal: CallJournal, work: Callable[[], str]) -> Any:
        """Do it, and end the call where the task's execution_timeout strikes."""
        from airflow_provider_twiliocall.compat import AirflowTaskTimeout

        try:
            try:
                call_sid = work()
            except AirflowTaskTimeout:
                call_sid = self._out_of_time(context, journal, self._sid_of_the_call())
        except (AirflowException, AirflowTaskTimeout) as error:
            if not self.redials:
                raise
            self._push_dials(context, journal, error)
            failure = _without_multiplying_rings(error, journal)
            if failure is error:
                raise
            raise failure from None
        if self.redials:
            self._push_dials(context, journal)
        return self.result(call_sid, journal)

    def _sid_of_the_call(self) -> str | None:
        if (call_sid := self._sid_known_so_far()) is None and self._placement is not None:
            return self._placement.find_interrupted_call()
        return call_sid

    def _sid_known_so_far(self) -> str | None:
        sources = (self._takeover, self._placement)
        return self._call_sid or next((each.call_sid for each in sources if each and each.call_sid), None)

    def _push_dials(self, context: Context, journal: CallJournal, error: BaseException | None = None) -> None:
        """Tell of all the calls of this run, the last one included."""
        from airflow_provider_twiliocall.exceptions import TwilioCallNotPlacedError, TwilioCallUnansweredError
        from airflow_provider_twiliocall.journal.attempt import CallAttempt

        try:
            journal.read()
        except TwilioCallNotPlacedError as unread:
            self.log.warning("What was dialled before is not known: %s", unread)
        if isinstance(error, TwilioCallUnansweredError):
            journal.remember(CallAttempt.of(error.call, step=journal.step, ended_by_us=error.ended_by_us))
        elif self._last_published:
            journal.remember(CallAttempt.of(self._last_published, step=journal.step))
        self._push(context, dials=[attempt.to_json() for attempt in journal.attempts])


def _without_multiplying_rings(error: BaseException, journal: CallJournal) -> BaseException:
    """Return how a task that dials on by itself fails: so that a retry rings nobody who was rung in vain."""
    from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

    from airflow_provider_twiliocall.exceptions import (
        TwilioCallEndedForGoodError,
        TwilioCallInterruptedError,
        TwilioCallUnansweredError,
        TwilioConnectionNotFoundError,
    )

    if isinstance(error, TwilioConnectionNotFoundError) and journal.is_kept and journal.is_begun:
        return TwilioCallInterruptedError(f"{error}. A retry goes on where this one has come to")
    if isinstance(error, (AirflowFailException, AirflowSkipException)):
        return error
    if isinstance(error, TwilioCallUnansweredError) and not error.ended_by_us:
        return TwilioCallEndedForGoodError(str(error))
    if not journal.is_kept and any(
        attempt.call_sid and not attempt.ended_by_us for attempt in journal.attempts
    ):
        return TwilioCallEndedForGoodError(f"{error}. It was dialled before, and a retry would begin again")
    return error


def _status_without_an_end(error: AirflowException, call_sid: str | None) -> str:
    from airflow_provider_twiliocall.exceptions import TwilioCallNotPlacedError, TwilioCallRefusedError
    from airflow_provider_twiliocall.journal.attempt import NOT_PLACED, REFUSED, UNKNOWN

    if call_sid is None and isinstance(error, TwilioCallRefusedError):
        return REFUSED
    if call_sid is None and isinstance(error, TwilioCallNotPlacedError):
        return NOT_PLACED
    return UNKNOWN


def _places_calls(task: Any) -> bool:
    # What is mapped is of a class of Airflow's.
    return issubclass(getattr(task, "operator_class", type(task)), CallOperator)
