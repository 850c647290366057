"""A task that places calls, as its tries see it: its arguments, and what the operators differ in."""

from __future__ import annotations

import math
from abc import abstractmethod
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_twiliocall.arguments.checks import read_seconds
from airflow_provider_twiliocall.arguments.templated import RendersText, given

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.answers.answer import Answer
    from airflow_provider_twiliocall.answers.question import Question
    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.calls.outcome import CallOutcome
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.operators.step import Next, Step
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

# A call that has not left Twilio's queue by then is canceled: it would ring at a time nobody meant.
DEFAULT_QUEUE_TIMEOUT_S = 3600.0


class Try(Protocol):
    """What a task may ask of the try that asks it for the next step; that is a :class:`.CallRun`."""

    context: Context
    journal: CallJournal
    due_step: int | None
    is_new_try: bool

    @property
    def answer(self) -> Answer | None:
        """What the callee has answered with a key."""

    def nothing_dialled(self) -> str:
        """Say that nothing, or nothing more, was dialled."""

    def push_dials(self) -> None:
        """Tell people of the calls that this run has seen to their end."""


class CallTask(RendersText, BaseOperator):
    """A task that places calls, one at a time, until one of them is what it wants or no step is left.

    Which call comes next, and when, and what its end means, is what the operators differ in.
    """

    twilio_conn_id: str
    account_sid: str | None
    wait_for_completion: bool
    deferrable: bool
    poll_interval: float
    queue_timeout: float | timedelta | None
    delivery: Delivery
    when_killed: Literal["cancel", "hang_up", "leave"]

    def __init__(self, **kwargs: Any) -> None:
        # A class without one of its own has BaseOperator's wrapped by Airflow where a mixin comes first. Mapped tasks
        # then take None for each default of BaseOperator's, such as `inlets`, and fail before they begin.
        super().__init__(**kwargs)

    @cached_property
    def hook(self) -> TwilioCallHook:
        """The hook, of the connection and account given."""
        from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

        return TwilioCallHook(self.twilio_conn_id, account_sid=given(self.account_sid))

    @property
    def queue_timeout_s(self) -> float:
        """How long a call may stay in Twilio's queue, in seconds."""
        if not self.wait_for_completion:
            return math.inf
        if self.queue_timeout is None:
            return DEFAULT_QUEUE_TIMEOUT_S
        return read_seconds("queue_timeout", self.queue_timeout)

    # What the operators differ in -------------------------------------------------------------------------

    @property
    def label(self) -> str | None:
        """What tells this task from its siblings where it is mapped, without a whole number."""
        return None

    @property
    def asks(self) -> bool:
        """Whether the callee is asked for a key."""
        return False

    def question(self, params: CreateCallParams, token: str) -> Question:
        """Return the question of a task that asks.

        :param params: of the call, with the TwiML of what is said before it
        :param token: of the run of the task
        """
        raise NotImplementedError

    def judge_answer(self, outcome: CallOutcome, answer: Answer | None) -> CallOutcome:
        """Say what an outcome means once it is known whether somebody has answered."""
        raise NotImplementedError

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
    def next_step(self, run: Try) -> Step:
        """Return the step to dial now; may pause first.

        :raises AirflowSkipException: it is not to be dialled
        :raises TwilioCallEndedForGoodError: none is left
        :raises ValueError: it cannot be dialled as it is; says what to fix
        """

    @abstractmethod
    def judge(self, call: Call) -> CallOutcome:
        """Say what the end of a call means for the task."""

    @abstractmethod
    def next_after(self, outcome: CallOutcome) -> Next:
        """Say what to do after an outcome, judged where it is that of a call."""

    def result(self, run: Try, outcome: CallOutcome) -> Any:
        """Return what the task returns once an outcome was what it wanted."""
        return outcome.call.sid if outcome.call else outcome.call_sid

    def tasks_that_place_calls(self) -> list[str]:
        """Return the ids of this DAG's tasks that place calls, this one among them."""
        dag = self.get_dag()
        # What is mapped is of a class of Airflow's.
        return [
            task.task_id
            for task in (dag.tasks if dag else ())
            if issubclass(getattr(task, "operator_class", type(task)), CallTask)
        ]
