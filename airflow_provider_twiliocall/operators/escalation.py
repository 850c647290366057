"""Escalation: whose turn it is to be rung, round after round, and what to say when nobody was reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.callees.rules import DialRules
from airflow_provider_twiliocall.journal.attempt import CallAttempt
from airflow_provider_twiliocall.journal.reason import Reason

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.params import CreateCallParams


@dataclass(frozen=True)
class Callee:
    """A contact, looked at before anything is dialled.

    :param who: for people
    :param to: whom to call, cut to its last four digits
    :param params: of the call; None for one that cannot be called
    :param rules: when their phone may ring
    :param problem: why they cannot be called
    """

    who: str
    to: str
    params: CreateCallParams | None
    rules: DialRules = field(default_factory=DialRules)
    problem: str | None = None


@dataclass(frozen=True)
class Escalation:
    """Contacts in the order in which they are rung, and how often.

    A step is one contact's turn. Steps are counted on and on: contact after contact, round after round, and where
    nobody could be rung at all and a retry begins again, also from there.

    :param rounds: how often all of them are rung
    :param may_ring_twice: whether a second ring is better than none
    """

    callees: Sequence[Callee]
    rounds: int
    may_ring_twice: bool = True

    @property
    def steps(self) -> int:
        """How many there are until nobody was reached."""
        return len(self.callees) * self.rounds

    def callee(self, step: int) -> Callee:
        """Return whose turn it is."""
        return self.callees[step % len(self.callees)]

    def round_of(self, step: int) -> int:
        """Return in which round a step is, from 0."""
        return step % self.steps // len(self.callees)

    def begins_round(self, step: int) -> bool:
        """Say whether a round other than the first begins with this step."""
        return step % len(self.callees) == 0 and self.round_of(step) > 0

    def step_after(self, attempts: Sequence[CallAttempt], begun: int) -> int:
        """Return the step at which to go on: a call that was killed with its task is placed again.

        :param begun: the step that was begun last
        """
        done = [attempt.step for attempt in attempts if attempt.reason is not Reason.ENDED_BY_US]
        return max(begun, done[-1] + 1 if done else 0)

    def of_this_pass(self, attempts: Sequence[CallAttempt], step: int) -> list[CallAttempt]:
        """Return those that belong together with a step: a pass is all rounds, and a retry may begin again."""
        return [attempt for attempt in attempts if attempt.step // self.steps == step // self.steps]

    def why_not(self, step: int, attempts: Sequence[CallAttempt], now: float) -> CallAttempt | None:
        """Return how to note that a contact is passed over; None for one that is to be rung.

        :param attempts: of this pass
        :param now: Unix time
        """
        callee = self.callee(step)
        if problem := self._why_never(step % len(self.callees), attempts):
            return self._passed_over(step, Reason.REFUSED, problem)
        if not callee.rules.allow(now):
            problem = f"{callee.who} is called from {callee.rules.hours} only"
            return self._passed_over(step, Reason.OUTSIDE_WINDOW, problem)
        return None

    def _passed_over(self, step: int, reason: Reason, problem: str) -> CallAttempt:
        return CallAttempt(step, None, self.callee(step).to, reason.value, reason, problem=problem)

    def is_hopeless(self, attempts: Sequence[CallAttempt]) -> bool:
        """Say whether another round is no use, since no contact can be called at all."""
        return all(self._why_never(index, attempts) for index in range(len(self.callees)))

    def may_help_to_try_again(self, attempts: Sequence[CallAttempt]) -> bool:
        """Say whether a retry of the task may reach somebody, and no phone is known to have rung before."""
        never_rang = [attempt for attempt in attempts if attempt.ended_by_us and attempt.status == "canceled"]
        if any(attempt.call_sid is not None and attempt not in never_rang for attempt in attempts):
            return False
        reasons = {attempt.reason for attempt in attempts}
        if reasons & {Reason.UNKNOWN, Reason.MAYBE_PLACED}:
            return self.may_ring_twice
        return Reason.NOT_PLACED in reasons or bool(never_rang)

    def summary(self, attempts: Sequence[CallAttempt]) -> str:
        """Say of each contact how each of its calls has ended, for people; and why there was none, once."""
        told = "; ".join(
            f"{callee.who}: {', '.join(self._endings(index, attempts)) or 'not tried'}"
            for index, callee in enumerate(self.callees)
        )
        problems = dict.fromkeys(attempt.problem for attempt in attempts if attempt.problem)
        return "\n".join([told, *(f"- {problem}" for problem in problems)])

    def _endings(self, index: int, attempts: Sequence[CallAttempt]) -> list[str]:
        own = [attempt for attempt in attempts if attempt.step % len(self.callees) == index]
        # That a number was refused once more is no news.
        return [
            _described(attempt)
            for attempt in own
            if attempt.reason is not Reason.REFUSED or attempt is own[0]
        ]

    def _why_never(self, index: int, attempts: Sequence[CallAttempt]) -> str | None:
        if self.callees[index].params is None:
            return self.callees[index].problem
        own = [attempt for attempt in attempts if attempt.step % len(self.callees) == index]
        return next((attempt.problem for attempt in own if attempt.reason is Reason.REFUSED), None)


def _described(attempt: CallAttempt) -> str:
    match attempt.reason:
        case Reason.COMPLETED | Reason.VOICEMAIL | Reason.TOO_SHORT:
            return f"answered by {attempt.answered_by or 'nobody knows whom'}, {attempt.duration or 0} s"
        case Reason.QUEUE_TIMEOUT | Reason.WINDOW_CLOSED | Reason.ENDED_BY_US:
            return "ended by this task before anybody was reached"
        case Reason.OUTSIDE_WINDOW:
            return "outside the call window"
        case Reason.UNKNOWN | Reason.MAYBE_PLACED:
            return "nobody can tell"
        case reason:
            return reason.value if reason else attempt.status
