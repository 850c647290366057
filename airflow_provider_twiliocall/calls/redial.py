"""Dialling a callee again within one task: how often, how long after, and after which endings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.exceptions import TwilioCallEndedForGoodError
from airflow_provider_twiliocall.journal.attempt import CallAttempt

if TYPE_CHECKING:
    from airflow_provider_twiliocall.calls.outcome import CallOutcome


@dataclass(frozen=True)
class Redial:
    """The author's word on it.

    :param max_dials: how often one task dials; 1 leaves redialling to its retries
    :param after_s: seconds between the end of a call and the next dial
    :param on: the endings after which it dials again, in the words of :class:`.Reason`
    """

    max_dials: int
    after_s: float
    on: Collection[str]

    def follows(self, outcome: CallOutcome, *, dials: int) -> bool:
        """Say whether another dial follows an outcome.

        :param dials: how often the callee was dialled, this time included
        """
        return dials < self.max_dials and outcome.reason.value in self.on and not outcome.is_hopeless

    def due(self, attempts: Sequence[CallAttempt], *, now: float, clock_offset: float) -> float:
        """Return the Unix time at which the next dial is due.

        :param attempts: those that ended badly so far, and not because this task ended them
        :param now: Unix time
        :param clock_offset: seconds Twilio's clock is ahead
        :raises TwilioCallEndedForGoodError: there is no next dial
        """
        if self.max_dials == 1 or not attempts:
            return now
        if len(attempts) >= self.max_dials:
            raise TwilioCallEndedForGoodError(
                f"Nobody was reached in {len(attempts)} dials (max_dials): {named_endings(attempts)}"
            )
        last = attempts[-1]
        if last.reason is None or last.reason.value not in self.on:
            raise TwilioCallEndedForGoodError(
                f"Nobody was reached: {named_endings(attempts)}. That is not dialled again (redial_on is "
                f"{', '.join(sorted(self.on))})"
            )
        ended = now if last.ended is None else last.ended - clock_offset
        return max(now, ended + self.after_s)


def named_endings(attempts: Sequence[CallAttempt]) -> str:
    """Name how calls ended, in order, for people."""
    return ", ".join(attempt.reason.value if attempt.reason else attempt.status for attempt in attempts)
