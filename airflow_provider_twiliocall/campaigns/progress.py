"""How a campaign is getting on, in one line of the log every few seconds, and what has come of it, in the last one."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_twiliocall import clock

if TYPE_CHECKING:
    from airflow_provider_twiliocall.campaigns.going_on import CallsGoingOn
    from airflow_provider_twiliocall.campaigns.placing import CampaignPlacing
    from airflow_provider_twiliocall.campaigns.results import CampaignResults

logger = logging.getLogger(__name__)

_INTERVAL_S = 10.0


class Progress:
    """Tells it, but no more often than is worth reading."""

    def __init__(self, placing: CampaignPlacing, going_on: CallsGoingOn, results: CampaignResults) -> None:
        self._placing = placing
        self._going_on = going_on
        self._results = results
        self._told_at = clock.time()
        self._placed = 0

    def tell(self, *, now: float) -> None:
        """Log a line if the last one was a while ago."""
        if now < self._told_at + _INTERVAL_S:
            return
        placed = self._placing.placed
        rate = (placed - self._placed) / (now - self._told_at)
        self._told_at, self._placed = now, placed
        logger.info(
            "%s of %s rows done (%s), %s calls going on, %s.",
            f"{self._results.final:,}",
            f"{self._results.rows:,}",
            _in_words(self._results.counts()) or "none yet",
            f"{len(self._going_on):,}",
            self._of_those_waiting(rate),
        )

    def _of_those_waiting(self, rate: float) -> str:
        if not (waiting := self._placing.waiting):
            return "none waiting"
        told = f"{waiting:,} rows waiting; {rate:.2f} calls a second"
        # While nobody is dialled, in an outage or outside a call window, nobody can say how long it takes.
        return f"{told}, {_duration(waiting / rate)} left to dial" if rate else told


def tell_of_the_end(summary: Mapping[str, Any], *, seconds: float) -> None:
    """Log what has come of the whole campaign.

    :param seconds: how long it took, through all its processes
    """
    placed = summary["placed"]
    logger.info(
        "The campaign is over: %s of %s rows reached (%s). %s calls in %s, %.2f a second; cost %s%s.",
        f"{summary['reached']:,}",
        f"{summary['rows']:,}",
        _in_words(Counter(summary["outcomes"])),
        f"{placed:,}",
        _duration(seconds),
        placed / max(seconds, 1.0),
        " and ".join(f"{amount} {unit}" for unit, amount in summary["cost"].items()) or "not known yet",
        f" so far, {summary['without_price']:,} calls have no price yet"
        if summary["cost"] and summary["without_price"]
        else "",
    )


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())


def _duration(seconds: float) -> str:
    return pendulum.duration(seconds=math.ceil(seconds)).in_words(locale="en")
