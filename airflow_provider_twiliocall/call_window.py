"""CallWindow: the hours of the callee's own day in which a phone may ring."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, ClassVar

import pendulum

from airflow_provider_twiliocall.calendar_words import (
    WEEKDAYS,
    read_holidays,
    read_time,
    read_timezone,
    read_weekdays,
    show_time,
)
from airflow_provider_twiliocall.rendered import is_template, literal_in

FURTHEST_OPENING = timedelta(days=366)
"""How far ahead an opening is looked for."""

_ARGUMENTS = ("start", "end", "timezone", "weekdays", "holidays")


@dataclass(frozen=True, init=False, repr=False)
class CallWindow:
    """When a phone may ring, by the clock on the callee's wall.

    The clock on the wall alone decides, also when it is put forward or back. A ``start`` that is skipped opens the
    window when the clock jumps over it, a skipped ``end`` closes it then; what the clock shows twice counts
    both times. So a window from 02:15 to 02:45 opens twice in the night that has this hour twice, and not at
    all in the night that has none.

    From task to task it goes as :meth:`to_dict`: Airflow reads back only classes that its configuration names.

    :param start: the first moment of the window, ``"09:00"`` or a :class:`datetime.time`
    :param end: the first moment after it. An ``end`` before ``start`` lies on the next day: ``"22:00"`` to
        ``"02:00"``; ``"00:00"`` is the midnight at the end of the day
    :param timezone: the callee's, such as ``Europe/Paris``. There is no default: who does not know it, calls nobody
    :param weekdays: the days on which the window opens, a list or text with commas: names (``monday``, ``mon``) or
        numbers, Monday is 1 and Sunday is 7; default: every day. A window over midnight that opens on a Friday
        lasts into the Saturday
    :param holidays: days on which it does not open: dates, ``"2026-12-25"``, or datetimes, of which the date counts
        as it is written
    :raises ValueError: names every argument that is wrong, and how to mend it
    """

    start: time
    end: time
    timezone: str
    weekdays: tuple[str, ...]
    holidays: tuple[date, ...]

    # For Airflow's serialization of what tasks return.
    __version__: ClassVar[int] = 1

    def __init__(
        self,
        start: str | time,
        end: str | time,
        timezone: str | tzinfo,
        weekdays: Iterable[str | int] | str | int | None = None,
        holidays: Iterable[str | date] | str | date | None = None,
    ) -> None:
        given = {"start": start, "end": end, "timezone": timezone, "weekdays": weekdays, "holidays": holidays}
        problems = []
        for name, value in given.items():
            try:
                object.__setattr__(self, name, _READERS[name](value))
            except ValueError as error:
                problems.append(f"{name}={error}")
        if not problems and self.start == self.end:
            problems.append(
                f"start and end are both {show_time(self.start)}, which could mean always or never: "
                "give two different times, for whole days 00:00 and 23:59"
            )
        if problems:
            raise ValueError(f"the call window cannot be used: {'; '.join(problems)}")

    @classmethod
    def from_value(cls, value: Any) -> CallWindow:
        """Read a window, or the arguments of one as a dict or as JSON (or Python's) text of a dict.

        :raises ValueError: no window, arguments that are missing or that no window has, or as the class does
        """
        if isinstance(value, CallWindow):
            return value
        arguments = _arguments_in(value) if isinstance(value, str) else value
        if not isinstance(arguments, Mapping):
            raise ValueError(
                f"the call window is {value!r:.80}: give a CallWindow, or a dict such as "
                '{"start": "09:00", "end": "20:00", "timezone": "Europe/Paris"}'
            )
        unknown = [str(name) for name in arguments if name not in _ARGUMENTS]
        if unknown:
            raise ValueError(
                f"the call window has no {', '.join(unknown)}: it has {', '.join(_ARGUMENTS[:-1])} "
                f"and {_ARGUMENTS[-1]}"
            )
        missing = [name for name in _ARGUMENTS[:3] if name not in arguments]
        if missing:
            raise ValueError(
                f"the call window lacks {' and '.join(missing)}: give start, end and the callee's timezone, "
                "nothing is assumed about when somebody may be called"
            )
        return cls(**arguments)

    @classmethod
    def check_literal(cls, value: Any) -> None:
        """Refuse at parse time what will be refused at run time; what is not known yet, being templated, passes.

        :raises ValueError: as :meth:`from_value` does
        """
        if value is not None and _is_known(value):
            cls.from_value(value)

    def is_open(self, at: datetime) -> bool:
        """Say whether a phone may ring at this moment, an aware datetime of any zone."""
        wall = self._on_the_wall(at)
        today, clock = wall.date(), wall.time()
        if self.start < self.end:
            return self.start <= clock < self.end and self._opens_on(today)
        yesterday = today - timedelta(days=1)
        return (clock >= self.start and self._opens_on(today)) or (
            clock < self.end and self._opens_on(yesterday)
        )

    def opens_after(self, at: datetime) -> pendulum.DateTime:
        """Return the first moment, from this one on, at which the window is open: this one, if it is open now.

        It is in the callee's zone. Compare it by ``timestamp()``: Python compares two datetimes of one zone by
        what the clock shows, which in the hour that comes twice is not the order of things.

        :raises ValueError: it does not open within a year, since every day it could open is a holiday
        """
        if self.is_open(at):
            return self._on_the_wall(at)
        for moment in self._changes_after(at, FURTHEST_OPENING):
            if self.is_open(moment):
                return moment
        raise ValueError(
            f"the call window {self.hours} does not open within a year from {at:%Y-%m-%d}: "
            f"look at its {len(self.holidays)} holidays, and at its weekdays ({', '.join(self.weekdays)})"
        )

    def closes_after(self, at: datetime) -> pendulum.DateTime:
        """Return the moment at which the window closes that is open now, or else that opens next.

        :raises ValueError: as :meth:`opens_after` does
        """
        opening = self.opens_after(at)
        # The longest window lasts until the same time of the next day, and a day is 25 hours at most; some zones
        # have skipped one.
        changes = self._changes_after(opening, timedelta(days=3))
        return next(moment for moment in changes if not self.is_open(moment))

    @property
    def hours(self) -> str:
        """The window in few words, for people."""
        return f"{show_time(self.start)} to {show_time(self.end)} in {self.timezone}"

    def to_dict(self) -> dict[str, Any]:
        """Return the arguments as JSON knows them; :meth:`from_value` reads them back."""
        return {
            "start": show_time(self.start),
            "end": show_time(self.end),
            "timezone": self.timezone,
            "weekdays": list(self.weekdays),
            "holidays": [day.isoformat() for day in self.holidays],
        }

    def serialize(self) -> dict[str, Any]:
        """Return what Airflow keeps of a window in a serialized DAG or in XCom."""
        return self.to_dict()

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> CallWindow:
        """Read back what :meth:`serialize` has returned."""
        return CallWindow.from_value(data)

    def __repr__(self) -> str:
        return f"CallWindow({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"

    def __str__(self) -> str:
        # Templates, and Airflow for the arguments of mapped tasks, make text of it: from_value reads that back.
        return json.dumps(self.to_dict())

    def _opens_on(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] in self.weekdays and day not in self.holidays

    def _on_the_wall(self, at: datetime) -> pendulum.DateTime:
        if at.tzinfo is None:
            raise ValueError(
                f"{at!r} has no time zone, so nobody knows which moment it is: give an aware datetime"
            )
        return pendulum.instance(at).in_timezone(self.timezone)

    def _changes_after(self, at: datetime, within: timedelta) -> Iterator[pendulum.DateTime]:
        """Yield, day by day, every later moment at which the window may open or close."""
        first_day = self._on_the_wall(at).date().toordinal() - 1
        for day in range(first_day, first_day + within.days + 3):
            for moment in sorted(self._moments(day, self.start) | self._moments(day, self.end)):
                if moment > at.timestamp():
                    yield pendulum.from_timestamp(moment, self.timezone)

    def _moments(self, day: int, clock: time) -> set[float]:
        """Find when the clock on the wall shows a time, and when it is put past or before that time.

        Seconds since the epoch, because two datetimes of one zone are compared as the clock shows them.
        """
        zone = pendulum.timezone(self.timezone)
        wall = datetime.combine(date.fromordinal(day), clock, tzinfo=zone)
        first, second = sorted(wall.replace(fold=fold).timestamp() for fold in (0, 1))
        if first == second:
            return {first}
        before, after = math.floor(first), math.ceil(second)
        old_offset = datetime.fromtimestamp(before, zone).utcoffset()
        while after - before > 1:
            middle = (before + after) // 2
            if datetime.fromtimestamp(middle, zone).utcoffset() == old_offset:
                before = middle
            else:
                after = middle
        return {first, second, after}


def _arguments_in(text: str) -> Any:
    try:
        return literal_in(text)
    except ValueError:
        return text


def _is_known(value: Any) -> bool:
    """Say whether the value will be the same at run time: it has no template, and nothing of another task's."""
    if isinstance(value, Mapping):
        return all(map(_is_known, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_is_known, value))
    return not is_template(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "start": read_time,
    "end": read_time,
    "timezone": read_timezone,
    "weekdays": read_weekdays,
    "holidays": read_holidays,
}
