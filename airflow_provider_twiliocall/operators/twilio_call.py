"""CreateCallOperator: a phone call as a step in a DAG.

Longer than 300 lines because its own arguments are spelled out: for readers, editors, Airflow and the checks at parse.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn, overload

from airflow.providers.common.compat.sdk import conf

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.arguments import checks, literals
from airflow_provider_twiliocall.arguments.call_arguments import (
    CALL_ARGUMENTS,
    CallArguments,
    CallAttributes,
    take_call_arguments,
)
from airflow_provider_twiliocall.arguments.options import (
    check_ask_times,
    check_options,
    read_options,
    words_of_options,
)
from airflow_provider_twiliocall.operators.base import CallOperator

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_twiliocall.answers.answer import Answer
    from airflow_provider_twiliocall.answers.question import Question
    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.callees.call_window import CallWindow
    from airflow_provider_twiliocall.callees.rules import DialRules
    from airflow_provider_twiliocall.calls.outcome import CallOutcome
    from airflow_provider_twiliocall.calls.redial import Redial
    from airflow_provider_twiliocall.operators.call_task import Try
    from airflow_provider_twiliocall.operators.step import Next, Step
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.param_problems import Problem
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

DEFAULT_DEFERRABLE: bool = conf.getboolean("operators", "default_deferrable", fallback=False)
DEFAULT_REDIAL_AFTER = timedelta(minutes=2)
DEFAULT_REDIAL_ON = ("busy", "no-answer")


class CreateCallArguments(CallArguments, total=False):
    """What can be given besides whom to call: for editors and type checkers."""

    twilio_conn_id: str
    wait_for_completion: bool
    deferrable: bool | None
    poll_interval: float | timedelta
    accept_answered_by: Collection[str] | str | None
    queue_timeout: float | timedelta | None
    call_window: CallWindow | dict[str, Any] | str | None
    on_outside_window: Literal["wait", "skip", "fail"] | None
    expires_after: float | timedelta | None
    do_not_call: Collection[str] | str | None
    max_dials: int
    redial_after: float | timedelta | None
    redial_on: Collection[str] | str | None
    options: Mapping[str, str] | str | None
    ask_times: int
    answer_required: bool
    answer_words: Mapping[str, str] | str | None
    delivery: Delivery
    when_killed: Literal["cancel", "hang_up", "leave"]


class CreateCallOperator(CallOperator, CallAttributes):
    """Place a phone call with Twilio and, if asked to, wait for it and judge how it ended.

    Without ``wait_for_completion`` the task succeeds once Twilio has taken the call, or with a ``call_window`` or
    ``expires_after`` once the call has left Twilio's queue. With it, the task succeeds
    when the call completed, answered by somebody in ``accept_answered_by`` if that is given. A busy line, no
    answer, a failed call or a voicemail fail it so that a retry of the task dials again; a refused number, bad
    credentials, missing permissions and a call canceled elsewhere fail it for good.

    All arguments of Twilio's create-call request can be given, and are templated; they are checked before
    anything is dialled, see :class:`.CreateCallParams`. One of ``message``, ``audio_url``, ``url``, ``twiml`` and
    ``application_sid`` has to say what the callee hears.

    With ``max_dials`` the task dials again by itself. ``call_window``, ``expires_after`` and ``do_not_call`` say when
    and whom not to call.

    With ``options`` the callee is asked for a key, which Twilio sends to Airflow: the connection needs its extra
    ``webhook_url``.

    XCom: ``return_value`` and ``call_sid`` are the call's SID; ``call`` is the call as a dict (``status``,
    ``answered_by``, ``duration`` in seconds, ``price``, which may still be null, …), phone numbers cut to their
    last four digits. With ``max_dials`` also ``dials``: all calls of this run, each as a dict. With ``options`` also
    ``answer``: ``key``, ``option`` and the moment ``at``, or None where nobody pressed one.

    :param to: whom to call: E.164 (``+15551234567``), ``client:name`` or ``sip:user@host``. Blanks, dashes and a trunk
        zero, as in ``+44 (0)20 …``, are dropped; a number without + needs the extra ``default_country`` of the
        connection. Impossible lengths, extensions, emergency and short numbers are refused
    :param twilio_conn_id: the connection, of type ``twilio``; default ``twilio_default``
    :param wait_for_completion: whether to wait until the call is over; default: no
    :param deferrable: whether to wait in the triggerer, without a worker slot. Only when waiting, or with a
        ``call_window`` or ``expires_after``; default: ``[operators] default_deferrable``
    :param poll_interval: seconds, or a timedelta, between two looks at the call; default 5
    :param accept_answered_by: who may have answered for the task to succeed, such as ``{"human", "unknown"}``; also
        ``fax``, ``machine_start``, ``machine_end_beep``, ``machine_end_silence`` and ``machine_end_other``. Turns on
        ``machine_detection="DetectMessageEnd"`` unless another is given. Default: anybody. Only when waiting
    :param queue_timeout: seconds, or a timedelta, up to a day, that the call may stay in Twilio's queue before it is
        canceled; default one hour. Only when waiting
    :param call_window: when the phone may ring, a :class:`.CallWindow` or its arguments as a dict. A call still in
        Twilio's queue when the window closes is canceled, so the task goes on until the call has left the queue, also
        without ``wait_for_completion``. Default: always
    :param on_outside_window: what to do outside the window: ``"wait"``, the default, defers the task until it opens,
        ``"skip"`` skips the task, ``"fail"`` fails it for good
    :param expires_after: seconds, or a timedelta, after the DAG run's ``run_after``. Later than that the task is
        skipped, and a call still in Twilio's queue is canceled. Default: never
    :param do_not_call: numbers that are not called, however they are formatted, or the name of an Airflow Variable
        that holds them; the task of a listed callee is skipped
    :param max_dials: how often this task dials until somebody is reached. With more than 1, retries do not dial
        again after a bad outcome. Default: 1. Only when waiting
    :param redial_after: seconds, or a timedelta, between the end of a call and the next dial, while the task is
        deferred. A pause lasts at least six seconds; 0 dials at once. Default: 2 minutes
    :param redial_on: after which endings it dials again, of ``busy``, ``no-answer``, ``failed`` and ``voicemail``
        (somebody answered who is not in ``accept_answered_by``) and ``no-key`` (nobody pressed one of the ``options``).
        Default: ``busy`` and ``no-answer``, with ``options`` also ``no-key``
    :param options: keys the callee may press and what each means, such as ``{"1": "confirm", "2": "call me later"}``:
        up to ten of ``0`` to ``9`` and ``*``. They are said after the message. Only when waiting; default: no key is
        asked for
    :param ask_times: how often message and question are said to a callee who presses none of the keys, 1 to 10;
        default 3. Only with ``options``
    :param answer_required: whether a call in which nobody pressed one of the keys counts as unanswered; default: yes.
        Only with ``options``
    :param answer_words: what is said beside the message, as a dict: ``prompt`` after it, ``thanks`` and ``goodbye``.
        Default: English words; needed with another ``language``. Only with ``options``
    :param delivery: what to do when Twilio's answer is lost and the call cannot be found:
        ``"at_most_once"`` (default) fails for good and says how to resolve it, ``"at_least_once"`` dials again
    :param when_killed: what happens to the call when the task is killed, evicted or out of time: ``"cancel"``
        (default) ends it unless somebody is on the line, ``"hang_up"`` ends it in any state, ``"leave"`` leaves it
        alone
    """

    template_fields: Sequence[str] = (
        "to",
        *CALL_ARGUMENTS,
        "accept_answered_by",
        "call_window",
        "do_not_call",
        "options",
        "answer_words",
        "twilio_conn_id",
    )
    template_fields_renderers = {"twiml": "xml"}  # noqa: RUF012 (Airflow's own way of saying it)
    ui_color = "#f7d8dc"

    to: str

    # For editors: what can be given, and that Airflow's own arguments can be given too.
    @overload
    def __init__(self, *, to: str, **arguments: Unpack[CreateCallArguments]) -> None: ...

    @overload
    def __init__(self, *, to: str, **arguments: Any) -> None: ...

    def __init__(
        self,
        *,
        to: str,
        twilio_conn_id: str = "twilio_default",
        wait_for_completion: bool = False,
        deferrable: bool | None = None,
        poll_interval: float | timedelta = 5,
        accept_answered_by: Collection[str] | str | None = None,
        queue_timeout: float | timedelta | None = None,
        call_window: CallWindow | dict[str, Any] | str | None = None,
        on_outside_window: Literal["wait", "skip", "fail"] | None = None,
        expires_after: float | timedelta | None = None,
        do_not_call: Collection[str] | str | None = None,
        max_dials: int = 1,
        redial_after: float | timedelta | None = None,
        redial_on: Collection[str] | str | None = None,
        options: Mapping[str, str] | str | None = None,
        ask_times: int = 3,
        answer_required: bool = True,
        answer_words: Mapping[str, str] | str | None = None,
        delivery: Delivery = "at_most_once",
        when_killed: Literal["cancel", "hang_up", "leave"] = "cancel",
        **arguments: Any,
    ) -> None:
        take_call_arguments(self, arguments)
        super().__init__(**arguments)
        self.to = to
        self.twilio_conn_id = twilio_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = DEFAULT_DEFERRABLE if deferrable is None else deferrable
        self.poll_interval = checks.in_seconds(poll_interval)
        self.accept_answered_by = checks.in_order(accept_answered_by)
        self.queue_timeout = queue_timeout
        self.call_window = call_window
        # A template that finds nothing does not mean that there is no window, or nobody on the list.
        self._has_window, self._has_do_not_call = call_window is not None, do_not_call is not None
        self.on_outside_window = "wait" if on_outside_window is None else on_outside_window
        self.expires_after = expires_after
        self.do_not_call = checks.in_order(do_not_call)
        self.max_dials = max_dials
        self.redial_after = DEFAULT_REDIAL_AFTER if redial_after is None else redial_after
        endings = DEFAULT_REDIAL_ON if options is None else (*DEFAULT_REDIAL_ON, "no-key")
        self.redial_on = endings if redial_on is None else redial_on
        self.options, self.answer_words = options, answer_words
        self.ask_times, self.answer_required = ask_times, answer_required
        self.delivery = delivery
        self.when_killed = when_killed
        asked = {
            "deferrable": deferrable,
            "on_outside_window": on_outside_window,
            "redial_after": redial_after,
            "redial_on": redial_on,
        }
        # What default_args give reaches all tasks, also those for which it means nothing.
        inherited = arguments.get("default_args") or {}
        own = {name for name, value in asked.items() if value is not None and name not in inherited}
        problems: list[Problem | str] = [*self._problems()]
        # What a mapped task is given is judged when it runs.
        if not getattr(self, "_BaseOperator__from_mapped", False):
            problems += [*self._meaningless(own), *self._literal_problems()]
        literals.refuse(problems)
        self.redial_on = checks.read_redial_on(self.redial_on)

    def _problems(self) -> list[str]:
        return literals.problems_of(
            lambda: checks.check_flag("wait_for_completion", self.wait_for_completion),
            lambda: checks.check_flag("deferrable", self.deferrable),
            lambda: checks.check_only_when_waiting(self, "accept_answered_by"),
            lambda: checks.check_only_when_waiting(self, "queue_timeout"),
            lambda: literals.check_delivery(self.delivery),
            lambda: literals.check_choice("when_killed", self.when_killed, ("cancel", "hang_up", "leave")),
            lambda: literals.check_choice(
                "on_outside_window", self.on_outside_window, ("wait", "skip", "fail")
            ),
            lambda: checks.check_poll_interval(self.poll_interval),
            lambda: checks.check_queue_timeout(self.queue_timeout),
            lambda: check_call_window(self.call_window),
            lambda: checks.check_duration(
                "expires_after", 1 if self.expires_after is None else self.expires_after
            ),
            lambda: checks.check_max_dials(self.max_dials, waits=self.wait_for_completion),
            lambda: checks.check_duration("redial_after", self.redial_after, or_zero=True),
            lambda: checks.check_redial_on(self.redial_on, self.accept_answered_by, asks=self.asks),
            lambda: check_options(self),
            lambda: check_ask_times(self.ask_times),
            lambda: checks.check_flag("answer_required", self.answer_required),
        )

    def _meaningless(self, own: Collection[str]) -> list[str]:
        """Say which arguments of the task's own have no effect without another one."""
        waits = self.wait_for_completion or self.call_window is not None or self.expires_after is not None
        needed = {
            "deferrable": None if waits or not self.deferrable else "wait_for_completion=True",
            "on_outside_window": "call_window" if self.call_window is None else None,
            "redial_after": "max_dials" if self.max_dials == 1 else None,
            "redial_on": "max_dials" if self.max_dials == 1 else None,
        }
        return [
            f"{name} has no effect without {other}: give {other} too, or leave {name} out"
            for name, other in needed.items()
            if other and name in own
        ]

    def _literal_problems(self) -> list[Problem | str]:
        if problem := literals.problem_of_several(self.to):
            return [
                problem,
                *literals.literal_problems(self, []),
                *literals.problems_of_do_not_call(self.do_not_call),
            ]
        return [
            *literals.literal_problems(self, [self.to]),
            *literals.problems_of_do_not_call(self.do_not_call),
        ]

    # The steps --------------------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """The callee, cut to the last four digits."""
        from airflow_provider_twiliocall.twilio.phone_number import show_callee

        return show_callee(self.to)

    @property
    def redials(self) -> bool:
        """Whether this task dials again by itself, so that its retries need not."""
        return self.max_dials > 1

    @property
    def asks(self) -> bool:
        """Whether the callee is asked for a key."""
        return self.options is not None

    def question(self, params: CreateCallParams, token: str) -> Question:
        """Return the question that a call asks."""
        from airflow_provider_twiliocall.operators.asked_question import question_of

        options = read_options(self.options)
        return question_of(self, params, token, options, words_of_options(options))

    def judge_answer(self, outcome: CallOutcome, answer: Answer | None) -> CallOutcome:
        """A key counts, whatever ended the call; without one, a call that was answered may have been in vain."""
        from airflow_provider_twiliocall.journal.reason import Reason

        sid = outcome.call.sid if outcome.call else outcome.call_sid
        if answer is not None:
            why = f"Call {sid} was answered with key {answer.key} ({answer.option})."
            return replace(outcome, reason=Reason.COMPLETED, why=why)
        if outcome.reason is Reason.COMPLETED and self.answer_required:
            why = f"Call {sid} was completed, but nobody pressed one of the keys {', '.join(self.options or ())}."
            return replace(outcome, reason=Reason.NO_KEY, why=why)
        return outcome

    def judge(self, call: Call) -> CallOutcome:
        """Say what the end of a call means for the task."""
        from airflow_provider_twiliocall.calls.outcome import judge_with_reasons
        from airflow_provider_twiliocall.journal.reason import Reason
        from airflow_provider_twiliocall.twilio.call import answerers

        try:
            accepted = answerers(self.accept_answered_by)
        except ValueError as error:
            # That of another try: who answered matters for a completed call alone.
            outcome = judge_with_reasons(call, self.hook, accept_answered_by=None)
            if outcome.reason is not Reason.COMPLETED:
                return outcome
            by = f", answered by {call.answered_by}" if call.answered_by else ""
            why = (
                f"{(outcome.why or '').rstrip('.')}{by}. Whether that is who was wanted cannot be told: {error}. It is "
                "not dialled again. Fix that argument and clear the task to place it again."
            )
            return replace(outcome, reason=Reason.UNKNOWN, why=why)
        return judge_with_reasons(call, self.hook, accept_answered_by=accepted)

    def next_after(self, outcome: CallOutcome) -> Next:
        """Say what to do after an outcome: what ended badly is dialled again by this try, or by a retry."""
        from airflow_provider_twiliocall.journal.reason import Reason
        from airflow_provider_twiliocall.operators.step import Next

        match outcome.reason:
            case Reason.COMPLETED | Reason.PLACED | Reason.LEFT_QUEUE:
                return Next.SUCCEED
            case Reason.WINDOW_CLOSED | Reason.TOO_LATE:
                # The rules of the next dial say what comes of that.
                return Next.DIAL
            case Reason.QUEUE_TIMEOUT | Reason.ENDED_BY_US | Reason.NOT_PLACED | Reason.MAYBE_PLACED:
                return Next.RETRY
            case Reason.BUSY | Reason.NO_ANSWER | Reason.FAILED | Reason.VOICEMAIL | Reason.NO_KEY if (
                not outcome.is_hopeless
            ):
                return Next.DIAL if self.redials else Next.RETRY
            case _:
                return Next.GIVE_UP

    def step(self, context: Context, number: int) -> Step:
        """Return the dial of that number: all are alike.

        :raises ValueError: it cannot be dialled as it is; says what to fix
        """
        from airflow_provider_twiliocall.operators.step import Step

        params = self._params
        return Step(number, params, self._rules(context, params.to).latest_ring(clock.time()))

    def next_step(self, run: Try) -> Step:
        """Return the next dial, once its time has come.

        :raises AirflowSkipException: the callee is not to be called, now or at all
        :raises TwilioCallEndedForGoodError: that was the last dial
        :raises ValueError: it cannot be dialled as it is; or the window is closed, and the author wants to know
        """
        from airflow_provider_twiliocall.operators.deferral import pause_until

        attempts = [attempt for attempt in run.journal.attempts if not attempt.ended_by_us]
        step = self.step(run.context, len(attempts))
        rules = self._rules(run.context, step.params.to)
        now = clock.time()
        due = self._redial.due(attempts, now=now, clock_offset=self.hook.clock_offset)
        if run.due_step == len(attempts):
            due = now
        if self._is_listed(step.params.to, run):
            self._drop(run, "The callee is on the do-not-call list")
        opens = rules.earliest_ring(due)
        if opens > due and self.on_outside_window != "wait":
            closed = f"It is outside the call window ({rules.hours})"
            if self.on_outside_window == "skip":
                self._drop(run, closed)
            raise ValueError(f"{closed}, and on_outside_window is 'fail'")
        if rules.is_pointless(opens):
            self._drop(run, "It is too late for this call, or will be when it may ring (expires_after)")
        if opens > now:
            why = "the call window opens then" if opens > due else "the next dial is due (redial_after)"
            pause_until(self, opens, run.journal, why, step=len(attempts))
        return step

    def _is_listed(self, number: str, run: Try) -> bool:
        from airflow_provider_twiliocall.callees.rules import read_do_not_call
        from airflow_provider_twiliocall.exceptions import TwilioCallNotPlacedError

        listed = "" if self.do_not_call is None and self._has_do_not_call else self.do_not_call
        country = self.hook.settings.default_country
        try:
            return read_do_not_call(listed, default_country=country).is_listed(number)
        except TwilioCallNotPlacedError as error:
            raise TwilioCallNotPlacedError(f"{run.nothing_dialled()}: {error}") from None

    def _drop(self, run: Try, why: str) -> NoReturn:
        """Skip the task; but one that has rung somebody in vain has not skipped anything, and fails."""
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from airflow_provider_twiliocall.calls.redial import named_endings
        from airflow_provider_twiliocall.exceptions import TwilioCallEndedForGoodError

        attempts = [attempt for attempt in run.journal.attempts if not attempt.ended_by_us]
        if not attempts:
            raise AirflowSkipException(f"{why}. {run.nothing_dialled()}.")
        raise TwilioCallEndedForGoodError(f"{why}, and nobody was reached before: {named_endings(attempts)}")

    # Arguments --------------------------------------------------------------------------------------------

    @property
    def _redial(self) -> Redial:
        from airflow_provider_twiliocall.calls.redial import Redial

        return Redial(self.max_dials, checks.read_seconds("redial_after", self.redial_after), self.redial_on)

    def _rules(self, context: Context, to: str) -> DialRules:
        from airflow_provider_twiliocall.callees.rules import DialRules

        expires_at = math.inf
        if self.expires_after is not None:
            expires_after = checks.read_seconds("expires_after", self.expires_after)
            expires_at = context["dag_run"].run_after.timestamp() + expires_after
        return DialRules(self._window(to), expires_at)

    def _window(self, to: str) -> CallWindow | None:
        from airflow_provider_twiliocall.callees.call_window import CallWindow

        is_given = self.call_window is not None or self._has_window
        return CallWindow.from_value(self.call_window).for_callee(to) if is_given else None

    @cached_property
    def _params(self) -> CreateCallParams:
        from airflow_provider_twiliocall.arguments.call_params import mask_secrets
        from airflow_provider_twiliocall.operators.checked_params import checked_params
        from airflow_provider_twiliocall.twilio.param_problems import Problem
        from airflow_provider_twiliocall.twilio.params import CallParamsError

        mask_secrets(self)
        if problem := literals.problem_of_several(self.to):
            raise CallParamsError([Problem(("to",), problem)])
        params = checked_params(self, self.to, self.hook, accept_answered_by=self.accept_answered_by)
        if not self.asks:
            return params
        from airflow_provider_twiliocall.operators.asked_question import params_that_ask

        options = read_options(self.options)
        return params_that_ask(self, params, options, words_of_options(options))


def check_call_window(call_window: Any) -> None:
    """Refuse a window that could not be used at run time, as far as it is known.

    :raises ValueError: says what is wrong with it
    """
    if call_window is None:
        return
    from airflow_provider_twiliocall.callees.call_window import CallWindow

    CallWindow.check_literal(call_window)
