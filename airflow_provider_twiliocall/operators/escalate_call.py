"""EscalateCallOperator: ring one contact after the other until somebody was really reached.

Longer than 300 lines because its own arguments are spelled out: for readers, editors, Airflow and the checks at parse.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias, overload

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.arguments import checks, literals
from airflow_provider_twiliocall.arguments.call_arguments import (
    CALL_ARGUMENTS,
    CallArguments,
    CallAttributes,
    take_call_arguments,
)
from airflow_provider_twiliocall.arguments.options import (
    ACKNOWLEDGE,
    ACKNOWLEDGE_OPTIONS,
    ACKNOWLEDGE_WORDS,
    check_acknowledge,
    check_ask_times,
)
from airflow_provider_twiliocall.arguments.templated import is_literal, is_template
from airflow_provider_twiliocall.callees.contact import Contact, contacts_in
from airflow_provider_twiliocall.operators.base import CallOperator
from airflow_provider_twiliocall.operators.checked_params import checked_params

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_twiliocall.answers.answer import Answer
    from airflow_provider_twiliocall.answers.question import Question
    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.calls.outcome import CallOutcome
    from airflow_provider_twiliocall.operators.call_task import Try
    from airflow_provider_twiliocall.operators.escalation import Callee, Escalation
    from airflow_provider_twiliocall.operators.step import Next, Step
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.param_problems import Problem
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

    Contacts: TypeAlias = Sequence[str | Contact | dict[str, Any]] | str

logger = logging.getLogger(__name__)

REACHED = ("human",)
"""Who has to have answered, in the words of Twilio's ``answered_by``."""

# Twilio counts from the answer on, and nothing is heard for some 4 s of answering machine detection and the second of
# silence before a message. More would take who hears out a very short message for not reached.
DEFAULT_MIN_DURATION_S = 6.0

# A contact that cannot be rung now must not hold up the next one; Twilio's queue is empty but for reminder runs.
DEFAULT_QUEUE_TIMEOUT = timedelta(minutes=2)


# What CreateCallOperator has, and what there is here.
_INSTEAD = {
    "to": "whom to ring goes into contacts, a list",
    "call_window": "give it to each contact, such as Contact('Ann', '+15551234567', call_window=…)",
    "on_outside_window": "a contact outside its call window is passed over in that round",
    "do_not_call": "only contacts are rung, so leave those out of it who must not be",
    "max_dials": "give rounds, which is how often each contact is rung",
    "redial_after": "give round_after, which is the time between two rounds",
    "redial_on": "whatever ends without a human on the line rings the next contact",
    "accept_answered_by": "only a human counts, so leave it out; min_duration says for how long",
    "wait_for_completion": "an escalation always waits, so leave it out",
    "deferrable": "an escalation is always deferred while it waits, so leave it out",
}


class EscalationArguments(CallArguments, total=False):
    """What can be given besides contacts: for editors and type checkers."""

    rounds: int
    round_after: float | timedelta
    min_duration: float | timedelta
    acknowledge: bool
    ask_times: int
    answer_words: Mapping[str, str] | str | None
    twilio_conn_id: str
    poll_interval: float | timedelta
    queue_timeout: float | timedelta | None
    delivery: Delivery
    when_killed: Literal["cancel", "hang_up", "leave"]


class EscalateCallOperator(CallOperator, CallAttributes):
    """Ring contacts in order, round after round, until one of them was really reached.

    Somebody was reached when the call completed, a human answered as far as Twilio's answering machine detection can
    tell (it is turned on, ``machine_detection="DetectMessageEnd"`` unless another is given), and it lasted for
    ``min_duration``. Any other ending rings the next contact: busy, no answer, a voicemail, a call that failed, was
    canceled elsewhere or stayed in Twilio's queue. So does whatever keeps one contact from being called: a bad number,
    one that Twilio refuses, no connection to Twilio for the moment. A contact outside its call window is passed over
    in that round.

    With ``acknowledge`` only a key counts: 1 takes it, 2 passes it on to the next contact at once, whatever detection
    says. Twilio sends the key to Airflow, so the connection needs its extra ``webhook_url``. Where it has none, the
    phones ring all the same, without a question, and the log says so.

    The task is deferred while a phone rings and between rounds. It keeps its place: a retry after a crash goes on with
    the call that rings, or with the next contact (Airflow 3.3 and later; before, a retry begins again). Where nobody
    was reached, it fails for good, since retries would ring everybody again; only where no phone is known to have rung
    at all, because Twilio could not be reached or took no more calls, a retry begins again.

    XCom: ``return_value`` is a dict: ``who`` was reached (the contact's name, or the number cut to its last four
    digits), ``to`` (the number, cut), ``when`` (ISO 8601 in UTC: when the call was answered, which is its end minus its
    duration; where Twilio does not say both, when it ended, or else when it was dialled), ``calls`` (how many were
    placed, this one included), ``call_sid``, ``answered_by``, ``duration`` in seconds; with ``acknowledge`` also
    ``key``, and ``when`` is when it was pressed. ``dials`` lists all turns, also those that came to no call, with the
    ``problem``. ``call_sid`` and ``call`` are those of the last call.

    Every argument of :class:`.CreateCallOperator` that says something of the call itself can be given, is templated,
    and holds for all of the calls: ``from_``, ``message``, ``audio_url``, ``url``, ``twiml``, ``timeout``, … One of
    ``message``, ``audio_url``, ``url``, ``twiml`` and ``application_sid`` has to say what they hear.

    :param contacts: whom to ring, in order: numbers, :class:`.Contact` objects or their arguments as dicts; or text of
        such a list, as a template renders it. Templates are also rendered in names, numbers and windows
    :param rounds: how often the whole list is rung; default 2
    :param round_after: seconds, or a timedelta, between the last call of a round and the first of the next. A pause
        lasts at least six seconds; 0 begins the next round at once. Default: one minute
    :param min_duration: seconds, or a timedelta, that somebody has to stay on the line, from the answer on;
        default 6 s. In the first 5 s nothing is heard: detection takes some 4 s, and a message begins with a second of
        silence
    :param acknowledge: whether somebody has to press 1 to count as reached; default: no
    :param ask_times: how often message and question are said to who presses neither key, 1 to 10; default 3. Only with
        ``acknowledge``
    :param answer_words: what is said beside the message, as a dict: ``prompt`` after it, ``thanks`` for 1, ``passed``
        for 2, ``goodbye``. Default: English words; needed with another ``language``. Only with ``acknowledge``
    :param twilio_conn_id: the connection, of type ``twilio``; default ``twilio_default``
    :param poll_interval: seconds, or a timedelta, between two looks at a call; default 5
    :param queue_timeout: seconds, or a timedelta, that a call may stay in Twilio's queue before it is canceled, and the
        next contact is rung; default 2 minutes
    :param delivery: what to do when Twilio's answer is lost and the call cannot be found: ``"at_least_once"`` (default)
        dials again, because a second ring is better than none, ``"at_most_once"`` rings the next contact
    :param when_killed: what happens to the call when the task is killed, marked or out of time. With ``"leave"``
        (default) nobody else is rung, but a phone that rings goes on ringing, because it may be the only one that does.
        ``"cancel"`` ends the call unless somebody is on the line, ``"hang_up"`` ends it in any state
    """

    template_fields: Sequence[str] = ("contacts", *CALL_ARGUMENTS, "answer_words", "twilio_conn_id")
    template_fields_renderers = {"twiml": "xml"}  # noqa: RUF012 (Airflow's own way of saying it)
    ui_color = "#f7d8dc"

    # Always: an escalation may take as long as there are contacts.
    wait_for_completion = True
    deferrable = True

    # For editors: what can be given, and that Airflow's own arguments can be given too.
    @overload
    def __init__(self, *, contacts: Contacts, **arguments: Unpack[EscalationArguments]) -> None: ...

    @overload
    def __init__(self, *, contacts: Contacts, **arguments: Any) -> None: ...

    def __init__(
        self,
        *,
        contacts: Contacts,
        rounds: int = 2,
        round_after: float | timedelta = timedelta(minutes=1),
        min_duration: float | timedelta = DEFAULT_MIN_DURATION_S,
        acknowledge: bool = False,
        ask_times: int = 3,
        answer_words: Mapping[str, str] | str | None = None,
        twilio_conn_id: str = "twilio_default",
        poll_interval: float | timedelta = 5,
        queue_timeout: float | timedelta | None = DEFAULT_QUEUE_TIMEOUT,
        delivery: Delivery = "at_least_once",
        when_killed: Literal["cancel", "hang_up", "leave"] = "leave",
        **arguments: Any,
    ) -> None:
        take_call_arguments(self, arguments, instead=_INSTEAD)
        super().__init__(**arguments)
        self.contacts = checks.in_order(contacts)
        self.rounds = rounds
        self.round_after = round_after
        self.min_duration = min_duration
        self.acknowledge = acknowledge
        self.ask_times = ask_times
        self.answer_words = answer_words
        self.twilio_conn_id = twilio_conn_id
        self.poll_interval = checks.in_seconds(poll_interval)
        self.queue_timeout = DEFAULT_QUEUE_TIMEOUT if queue_timeout is None else queue_timeout
        self.delivery = delivery
        self.when_killed = when_killed
        literals.refuse([*self._problems(), *self._literal_problems()])

    def _problems(self) -> list[str]:
        return literals.problems_of(
            lambda: checks.check_rounds(self.rounds),
            lambda: checks.check_duration("round_after", self.round_after, or_zero=True),
            lambda: checks.check_duration("min_duration", self.min_duration, or_zero=True),
            lambda: checks.check_flag("acknowledge", self.acknowledge),
            lambda: check_ask_times(self.ask_times),
            lambda: check_acknowledge(self),
            lambda: checks.check_poll_interval(self.poll_interval),
            lambda: checks.check_queue_timeout(self.queue_timeout),
            lambda: literals.check_delivery(self.delivery),
            lambda: literals.check_choice("when_killed", self.when_killed, ("cancel", "hang_up", "leave")),
            lambda: checks.check_detection_stays_on(self.send_digits),
        )

    def _literal_problems(self) -> list[Problem | str]:
        # What a mapped task is given is known at run time, when a bad contact is no reason not to ring the others.
        if getattr(self, "_BaseOperator__from_mapped", False):
            return []
        numbers, problems = _numbers_in(self.contacts)
        return [*problems, *literals.literal_problems(self, numbers, named="contacts")]

    def render_template(
        self, content: Any, context: Context, jinja_env: Any = None, seen_oids: set[int] | None = None
    ) -> Any:
        """Render as Airflow does, and what is in a contact too."""
        if isinstance(content, Contact):
            return content.rendered_by(lambda part: self.render_template(part, context, jinja_env, seen_oids))
        return super().render_template(content, context, jinja_env, seen_oids)

    # Who is called ----------------------------------------------------------------------------------------

    def _check_callees(self) -> None:
        """Tell of every contact that cannot be called.

        :raises CallParamsError: there is none left to call; says why
        """
        from airflow_provider_twiliocall.twilio.param_problems import Problem
        from airflow_provider_twiliocall.twilio.params import CallParamsError

        callees = self._escalation.callees
        bad = [callee for callee in callees if callee.params is None]
        if len(bad) == len(callees):
            texts = dict.fromkeys(str(callee.problem) for callee in bad)
            raise CallParamsError([Problem(("contacts",), text) for text in texts])
        for callee in bad:
            logger.error("%s cannot be called, the others are: %s", callee.who, callee.problem)

    @cached_property
    def _escalation(self) -> Escalation:
        from airflow_provider_twiliocall.arguments.call_params import mask_secrets
        from airflow_provider_twiliocall.journal.attempt import MOST_ATTEMPTS
        from airflow_provider_twiliocall.operators.escalation import Escalation

        mask_secrets(self)
        contacts = contacts_in(self.contacts)
        if len(contacts) * self.rounds > MOST_ATTEMPTS:
            raise ValueError(
                f"{len(contacts)} contacts in {self.rounds} rounds are more than the {MOST_ATTEMPTS} calls of one "
                "escalation: leave some out, or give fewer rounds"
            )
        callees: list[Callee] = []
        like: CreateCallParams | None = None
        for contact in contacts:
            callees.append(self._callee(contact, like))
            like = callees[-1].params or like
        return Escalation(callees, self.rounds, may_ring_twice=self.delivery == "at_least_once")

    def _callee(self, value: Any, like: CreateCallParams | None) -> Callee:
        from airflow_provider_twiliocall.callees.rules import DialRules
        from airflow_provider_twiliocall.operators.escalation import Callee
        from airflow_provider_twiliocall.twilio.params import CallParamsError
        from airflow_provider_twiliocall.twilio.phone_number import show_address

        try:
            contact = Contact.from_value(value)
        except ValueError as error:
            shown = show_address(value)
            return Callee(shown, shown, None, problem=str(error))
        to = contact.shown_number
        try:
            params = checked_params(self, contact.to, self.hook, accept_answered_by=REACHED, like=like)
            params = params if like else self._with_question(params)
            window = contact.window()
            rules = DialRules(window.for_callee(params.to) if window else None)
            # A window that never opens is said now, and not taken for one that is closed at the moment.
            rules.earliest_ring(clock.time())
        except CallParamsError as error:
            return Callee(contact.shown, to, None, problem="\n- ".join(map(str, error.problems)))
        except ValueError as error:
            return Callee(contact.shown, to, None, problem=f"{contact.shown}: {error}")
        return Callee(contact.shown, to, params, rules)

    # What they are asked ----------------------------------------------------------------------------------

    @cached_property
    def _no_question(self) -> list[str]:
        """Why no key is asked for."""
        return []

    @property
    def asks(self) -> bool:
        """Whether somebody has to press a key: not where nobody could learn of it, for the phones have to ring."""
        if not self.acknowledge:
            return False
        # A process that goes on after a wait has not looked at the contacts yet.
        with suppress(ValueError):
            _ = self._escalation
        return not self._no_question

    def _with_question(self, params: CreateCallParams) -> CreateCallParams:
        """Return the parameters with time for the question; where it cannot be asked, without it."""
        from airflow_provider_twiliocall.operators.asked_question import params_that_ask

        if not self.acknowledge:
            return params
        try:
            return params_that_ask(self, params, ACKNOWLEDGE_OPTIONS, ACKNOWLEDGE_WORDS)
        except ValueError as error:
            self._no_question.append(str(error))
            logger.error(
                "No key is asked for, and who stays on the line for %g s counts as reached: %s",
                checks.read_seconds("min_duration", self.min_duration),
                error,
            )
            return params

    def question(self, params: CreateCallParams, token: str) -> Question:
        """Return the question of each call."""
        from airflow_provider_twiliocall.operators.asked_question import question_of

        return question_of(self, params, token, ACKNOWLEDGE_OPTIONS, ACKNOWLEDGE_WORDS)

    def judge_answer(self, outcome: CallOutcome, answer: Answer | None) -> CallOutcome:
        """Who has pressed 1 has taken it, whatever ended the call; nobody else was reached."""
        from airflow_provider_twiliocall.journal.reason import Reason

        sid = outcome.call.sid if outcome.call else outcome.call_sid
        if answer is not None and answer.key == ACKNOWLEDGE:
            return replace(
                outcome, reason=Reason.COMPLETED, why=f"Call {sid} was taken with key {answer.key}."
            )
        if answer is not None:
            return replace(
                outcome, reason=Reason.PASSED_ON, why=f"Call {sid} was passed on with key {answer.key}."
            )
        if outcome.reason in (Reason.COMPLETED, Reason.TOO_SHORT):
            return replace(
                outcome, reason=Reason.NO_KEY, why=f"Call {sid} was answered, and nobody pressed a key."
            )
        return outcome

    # Whether somebody was reached -------------------------------------------------------------------------

    def judge(self, call: Call) -> CallOutcome:
        """Say whether a finished call has reached somebody; if not, it is the next contact's turn."""
        from airflow_provider_twiliocall.calls.outcome import judge_with_reasons
        from airflow_provider_twiliocall.journal.reason import Reason

        outcome = judge_with_reasons(call, self.hook, accept_answered_by=REACHED)
        shortest = checks.read_seconds("min_duration", self.min_duration)
        if outcome.reason is not Reason.COMPLETED or (call.duration or 0) >= shortest:
            return outcome
        why = (
            f"Call {call.sid} was completed after {call.duration or 0} s, and only {shortest:g} s on the line count "
            "(min_duration)."
        )
        return replace(outcome, reason=Reason.TOO_SHORT, why=why)

    def next_after(self, outcome: CallOutcome) -> Next:
        """Say what to do after an outcome: whatever came of it, but for somebody reached, rings the next contact."""
        from airflow_provider_twiliocall.journal.reason import Reason
        from airflow_provider_twiliocall.operators.step import Next

        return Next.SUCCEED if outcome.reason is Reason.COMPLETED else Next.DIAL

    def result(self, run: Try, outcome: CallOutcome) -> dict[str, Any]:
        """Return who was reached, and when, after how many calls."""
        call = outcome.call
        who, to = self._who_was_reached(run.journal.step, call)
        moment = (call.answered_at or call.end_time or call.start_time) if call else None
        calls = len({attempt.call_sid for attempt in run.journal.attempts if attempt.call_sid})
        logger.info("%s was reached after %d calls.", who, calls)
        answered = {"key": run.answer.key, "when": run.answer.at} if run.answer else {}
        return {
            "who": who,
            "to": to,
            "when": moment.in_timezone("UTC").to_iso8601_string() if moment else None,
            "calls": calls,
            "call_sid": call.sid if call else outcome.call_sid,
            "answered_by": call.answered_by.value if call and call.answered_by else None,
            "duration": call.duration if call else None,
            **answered,
        }

    def _who_was_reached(self, step: int, call: Call | None) -> tuple[str, str | None]:
        """Return name and number, cut, of the one who was called: a template may render another list by now."""
        to = call.to_dict()["to"] if call else None
        try:
            contacts = contacts_in(self.contacts)
        except ValueError as error:
            logger.warning("The name of who was reached is not known any more: %s", error)
            return to or "somebody", to
        first = step % len(contacts)
        for value in [*contacts[first:], *contacts[:first]]:
            try:
                contact = Contact.from_value(value)
            except ValueError:
                continue
            # By what is shown: formatting may differ, and a trigger gives no more.
            if to is None or contact.shown_number[-4:] == to[-4:]:
                return contact.shown, contact.shown_number
        return to or "somebody", to

    # Whose turn it is -------------------------------------------------------------------------------------

    @property
    def redials(self) -> bool:
        """Always: who is rung next is this task's own business."""
        return True

    def step(self, context: Context, number: int) -> Step:
        """Return a contact's turn.

        :raises ValueError: there is nobody to call, or it is the turn of somebody who cannot be called
        """
        from airflow_provider_twiliocall.operators.step import Step

        callee = self._escalation.callee(number)
        if callee.params is None:
            raise ValueError(callee.problem)
        return Step(number, callee.params, callee.rules.latest_ring(clock.time()))

    def next_step(self, run: Try) -> Step:
        """Return the next contact's turn, after the pause between two rounds.

        :raises TwilioCallEndedForGoodError: nobody was reached
        :raises TwilioCallNotPlacedError: the same, and no phone is known to have rung: a retry begins again
        :raises ValueError: there is nobody who can be called
        """
        journal = run.journal
        is_new_try, run.is_new_try = run.is_new_try, False
        if is_new_try:
            self._check_callees()
        escalation = self._escalation
        number = max(escalation.step_after(journal.attempts, journal.step), run.due_step or 0)
        while True:
            is_over = number % escalation.steps == 0 and number != journal.step
            if is_over and not (is_new_try and escalation.may_help_to_try_again(journal.attempts)):
                self._fail(run, number - 1)
            is_new_try = False
            attempts = escalation.of_this_pass(journal.attempts, number)
            if escalation.begins_round(number) and run.due_step != number:
                if escalation.is_hopeless(attempts):
                    self._fail(run, number - 1)
                self._pause_before_round(run, number)
            passed_over = escalation.why_not(number, attempts, clock.time())
            if passed_over is None:
                return self.step(run.context, number)
            who = escalation.callee(number).who
            logger.warning("%s is passed over: %s", who, passed_over.problem)
            journal.remember(passed_over)
            number += 1

    def _pause_before_round(self, run: Try, number: int) -> None:
        from airflow_provider_twiliocall.operators.deferral import pause_until

        pause = checks.read_seconds("round_after", self.round_after)
        if pause == 0:
            return
        now = clock.time()
        ended = next((attempt.ended for attempt in reversed(run.journal.attempts) if attempt.call_sid), None)
        since = now if ended is None else min(now, ended - self.hook.clock_offset)
        # A retry may come long after.
        if since + pause <= now:
            return
        round_ = self._escalation.round_of(number) + 1
        why = f"nobody was reached in round {round_ - 1}, and round {round_} of {self.rounds} begins then"
        pause_until(self, since + pause, run.journal, why, step=number)

    def _fail(self, run: Try, last: int) -> NoReturn:
        from airflow_provider_twiliocall.exceptions import (
            TwilioCallEndedForGoodError,
            TwilioCallNotPlacedError,
        )

        run.journal.flush()
        run.push_dials()
        escalation = self._escalation
        attempts = escalation.of_this_pass(run.journal.attempts, last)
        summary = escalation.summary(attempts)
        if escalation.may_help_to_try_again(attempts):
            raise TwilioCallNotPlacedError(
                f"Nobody was reached, and no phone is known to have rung. {summary}"
            )
        calls = len({attempt.call_sid for attempt in attempts if attempt.call_sid})
        raise TwilioCallEndedForGoodError(f"Nobody was reached with {calls} calls. {summary}")


def _numbers_in(contacts: Any) -> tuple[list[Any], list[str]]:
    """Return whom a list of contacts is about, as far as that is known at parse, and what is wrong with the others."""
    if is_template(contacts) or callable(contacts):
        return [contacts], []
    try:
        given = contacts_in(contacts)
    except ValueError as error:
        return [], [str(error)]
    numbers, problems = [], []
    for contact in given:
        if not is_literal(contact):
            numbers.append("{{ not known yet }}")
            continue
        try:
            numbers.append(Contact.from_value(contact).to)
        except ValueError as error:
            problems.append(str(error))
    return numbers, problems
