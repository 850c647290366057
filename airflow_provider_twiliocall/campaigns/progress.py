"""How a campaign is getting on, in one line of the log every few seconds."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import pendulum

from airflow_provider_twiliocall import clock

if TYPE_CHECKING:
    from airflow_provider_twiliocall.campaigns.going_on import CallsGoingOn
    from airflow_provider_twiliocall.campaigns.placing import CampaignPlacing
    from airflow_provider_twiliocall.campaigns.results import CampaignResults

logger = logging.getLogger(__name__)

_INTERVAL_S = 10.0


class Progress:
    """Tells it, but no more often than is worth reading.

    :param pace: calls a second, as the author wishes
    """

    def __init__(
        self, placing: CampaignPlacing, going_on: CallsGoingOn, results: CampaignResults, *, pace: float
    ) -> None:
        self._placing = placing
        self._going_on = going_on
        self._results = results
        self._pace = pace
        self._told_at = clock.time()
        self._placed = 0

    def tell(self, *, now: float) -> None:
        """Log a line if the last one was a while ago."""
        if now < self._told_at + _INTERVAL_S:
            return
        placed = self._placing.placed
        rate = (placed - self._placed) / (now - self._told_at)
        self._told_at, self._placed = now, placed
        waiting = self._placing.waiting
        counts = ", ".join(f"{count:,} {reason}" for reason, count in self._results.counts().most_common())
        logger.info(
            "%s of %s rows done (%s), %s calls going on, %s rows waiting%s.",
            f"{self._results.final:,}",
            f"{self._results.rows:,}",
            counts or "none yet",
            f"{len(self._going_on):,}",
            f"{waiting:,}",
            f"; {rate:.2f} calls a second, {self._left(waiting / (rate or self._pace))} left to dial"
            if waiting
            else "",
        )

    def _left(self, seconds: float) -> str:
        return pendulum.duration(seconds=math.ceil(seconds)).in_words()
