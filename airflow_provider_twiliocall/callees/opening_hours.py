"""OpeningHours: when a call window is open by the clock of one time zone."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from airflow_provider_twiliocall.callees.calendar import WEEKDAYS

FURTHEST_OPENING = timedelta(days=366)
"""How far ahead an opening is looked for."""


@dataclass(frozen=True)
class OpeningHours:
    """Hours of the day in one time zone. All moments are Unix times.

    Not datetimes: Python compares two datetimes of one zone by what the clock shows, which is the wrong order in the
    hour that comes twice.

    :param start: when the window opens
    :param end: when it closes; on the next day if it is not after ``start``
    :param weekdays: the days on which the window opens, by name
    :param is_holiday: says whether the window stays closed on a day
    :param zone: the time zone itself, because a look-up by name is slow
    """

    start: time
    end: time
    weekdays: Collection[str]
    is_holiday: Callable[[date], bool]
    zone: tzinfo

    def is_open(self, at: float) -> bool:
        """Say whether the window is open at this moment."""
        wall = datetime.fromtimestamp(at, self.zone)
        today, clock = wall.date(), wall.time()
        if self.start < self.end:
            return self.start <= clock < self.end and self._opens_on(today)
        yesterday = today - timedelta(days=1)
        return (clock >= self.start and self._opens_on(today)) or (
            clock < self.end and self._opens_on(yesterday)
        )

    def opens_after(self, at: float) -> float | None:
        """Return the first moment, from this one on, at which it is open; None if there is none within a year."""
        if self.is_open(at):
            return at
        return next((moment for moment in self._changes_after(at) if self.is_open(moment)), None)

    def closes_after(self, at: float) -> float | None:
        """Return the first moment after this one at which it is closed; None if there is none within a year."""
        return next((moment for moment in self._changes_after(at) if not self.is_open(moment)), None)

    def _opens_on(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] in self.weekdays and not self.is_holiday(day)

    def _changes_after(self, at: float) -> Iterator[float]:
        """Yield, day by day, every later moment at which the window may open or close."""
        first_day = datetime.fromtimestamp(at, self.zone).toordinal() - 1
        for day in range(first_day, first_day + FURTHEST_OPENING.days + 3):
            for moment in sorted(self._moments(day, self.start) | self._moments(day, self.end)):
                if moment > at:
                    yield moment

    def _moments(self, day: int, clock: time) -> set[float]:
        """Find when the local clock shows a time, and when it is put forward or back over that time."""
        wall = datetime.combine(date.fromordinal(day), clock, tzinfo=self.zone)
        first, second = sorted(wall.replace(fold=fold).timestamp() for fold in (0, 1))
        if first == second:
            return {first}
        before, after = math.floor(first), math.ceil(second)
        old_offset = datetime.fromtimestamp(before, self.zone).utcoffset()
        while after - before > 1:
            middle = (before + after) // 2
            if datetime.fromtimestamp(middle, self.zone).utcoffset() == old_offset:
                before = middle
            else:
                after = middle
        return {first, second, after}
