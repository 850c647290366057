"""CallWindow: the hours of the callee's own day in which a phone may ring."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Any, ClassVar

import pendulum

from airflow_provider_twiliocall.callees.calendar import (
    CALLEE,
    is_end_of_day,
    read_end,
    read_holidays,
    read_time,
    read_timezone,
    read_weekdays,
    show_end,
    show_time,
)
from airflow_provider_twiliocall.callees.opening_hours import FURTHEST_OPENING, OpeningHours
from airflow_provider_twiliocall.callees.public_holidays import check_installed, public_holidays_of
from airflow_provider_twiliocall.callees.window_arguments import is_known, window_arguments
from airflow_provider_twiliocall.callees.zones import zones_of
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number

MOST_ZONES_NAMED = 5
"""How many of a callee's time zones are named to people."""

FURTHEST_JOINT_OPENING = timedelta(days=31)
"""The same for several zones: an opening that a change of clocks brings months ahead comes too late."""


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
        ``"02:00"``. ``"24:00"`` is the midnight at the end of the day; ``"00:00"`` to ``"24:00"`` is the whole day
    :param timezone: the callee's, such as ``Europe/Paris``. It is required. ``"callee"`` takes the zones that belong
        to the callee's number, see :meth:`for_callee`
    :param weekdays: the days on which the window opens, a list or text with commas: names (``monday``, ``mon``),
        numbers (Monday is 1, Sunday is 7) or ranges (``mon-fri``, ``sat-mon``); default: every day. A window over
        midnight that opens on a Friday lasts into the Saturday
    :param holidays: days on which it does not open: dates, ``"2026-12-25"``, or datetimes, of which the date counts
        as it is written; or a country, ``"FR"``, or a part of one, ``"US-CA"``, whose public holidays are taken from
        the library ``holidays``: ``pip install 'airflow-provider-twiliocall[holidays]'``
    :raises ValueError: names every argument that is wrong, and how to fix it
    """

    start: time
    end: time
    timezone: str
    weekdays: tuple[str, ...]
    holidays: tuple[date | str, ...]

    # The zones in which it is open; none yet where the callee is not known yet.
    _zones: tuple[str, ...]
    # The callee, for messages; empty where the zone has a name.
    _callee: str

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
        if not problems and self.start == self.end and not is_end_of_day(end):
            problems.append(
                f"start and end are both {show_time(self.start)}, which could mean always or never: "
                "give two different times, or 00:00 and 24:00 for whole days"
            )
        if problems:
            raise ValueError(f"the call window cannot be used: {'; '.join(problems)}")
        object.__setattr__(self, "_zones", () if self.timezone == CALLEE else (self.timezone,))
        object.__setattr__(self, "_callee", "")

    @classmethod
    def from_value(cls, value: Any) -> CallWindow:
        """Read a window, or the arguments of one as a dict or as JSON (or Python's) text of a dict.

        :raises ValueError: not a window, missing or unknown arguments, or as the class does
        """
        if isinstance(value, CallWindow):
            return value
        return cls(**window_arguments(value))

    @classmethod
    def check_literal(cls, value: Any) -> None:
        """Refuse at parse time what will be refused at run time. What holds a template passes.

        :raises ValueError: as :meth:`from_value` does
        """
        if value is not None and is_known(value):
            cls.from_value(value)

    def for_callee(self, to: str) -> CallWindow:
        """Return the window by the clocks of a callee: this one, unless its timezone is ``"callee"``.

        Then it is open only while it is open in all time zones that belong to the number. Those are the zones of its
        area code or country, not of the place where a mobile phone is at the moment.

        :param to: whom to call, a number in E.164
        :raises ValueError: no time zone is known for the callee, or the holidays are not available
        """
        for code in self.holidays:
            if isinstance(code, str):
                public_holidays_of(code)
        if self.timezone != CALLEE:
            return self
        window = copy(self)
        object.__setattr__(window, "_zones", zones_of(to))
        object.__setattr__(window, "_callee", redact_phone_number(to))
        return window

    def is_open(self, at: datetime) -> bool:
        """Say whether a phone may ring at this moment, an aware datetime of any zone."""
        moment = _timestamp(at)
        return all(hours.is_open(moment) for hours in self._hours_by_zone())

    def opens_after(self, at: datetime) -> pendulum.DateTime:
        """Return the first moment, from this one on, at which the window is open: this one, if it is open now.

        It is in one of the callee's zones. Compare it by ``timestamp()``: Python compares two datetimes of one zone by
        what the clock shows, which is the wrong order in the hour that comes twice.

        :raises ValueError: it does not open within a year, because every such day is a holiday; or within 31
            days in all zones of the callee at the same time
        """
        moment = self._opens_after(_timestamp(at))
        if moment is None:
            raise ValueError(self._why_never(at))
        if moment == at.timestamp():
            return pendulum.instance(at).in_timezone(self._zones[0])
        return pendulum.from_timestamp(moment, self._zones[0])

    def closes_after(self, at: datetime) -> pendulum.DateTime | None:
        """Return the moment at which the window closes that is open now, or else that opens next.

        None where it does not close within a year: whole days, every day.

        :raises ValueError: as :meth:`opens_after` does
        """
        opening = self.opens_after(at).timestamp()
        closings = [hours.closes_after(opening) for hours in self._hours_by_zone()]
        known = [moment for moment in closings if moment is not None]
        return pendulum.from_timestamp(min(known), self._zones[0]) if known else None

    @property
    def hours(self) -> str:
        """The window in few words, for people."""
        hours = f"{show_time(self.start)} to {show_end(self.end)}"
        if not self._zones:
            return f"{hours} in the callee's time zone"
        return f"{hours} in {'all of ' if len(self._zones) > 1 else ''}{_listed(self._zones)}"

    def _hours_by_zone(self) -> list[OpeningHours]:
        if not self._zones:
            raise ValueError(
                "the call window has timezone='callee': use its for_callee(number) to say who is called"
            )
        zones = map(_zone, self._zones)
        return [OpeningHours(self.start, self.end, self.weekdays, self._is_holiday, zone) for zone in zones]

    def _is_holiday(self, day: date) -> bool:
        return any(
            day in public_holidays_of(entry) if isinstance(entry, str) else day == entry
            for entry in self.holidays
        )

    def _opens_after(self, at: float) -> float | None:
        """Go from zone to zone, each time to its next opening, until all of them are open."""
        hours_by_zone = self._hours_by_zone()
        furthest = FURTHEST_OPENING if len(hours_by_zone) == 1 else FURTHEST_JOINT_OPENING
        moment = at
        while moment - at <= furthest.total_seconds():
            asked = moment
            for hours in hours_by_zone:
                opening = hours.opens_after(moment)
                if opening is None:
                    return None
                moment = opening
            if moment == asked:
                return moment
        return None

    def _why_never(self, at: datetime) -> str:
        if len(self._zones) > 1:
            return (
                f"the call window {show_time(self.start)} to {show_end(self.end)} is never open in all of the "
                f"{len(self._zones)} time zones of {self._callee} ({_listed(self._zones)}) in the next "
                f"{FURTHEST_JOINT_OPENING.days} days: give it the callee's timezone, or longer hours"
            )
        return (
            f"the call window {self.hours} does not open within a year from {at:%Y-%m-%d}: "
            f"look at its {len(self.holidays)} holidays, and at its weekdays ({', '.join(self.weekdays)})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the arguments as JSON knows them; :meth:`from_value` reads them back."""
        return {
            "start": show_time(self.start),
            "end": show_end(self.end),
            "timezone": self.timezone,
            "weekdays": list(self.weekdays),
            "holidays": [entry if isinstance(entry, str) else entry.isoformat() for entry in self.holidays],
        }

    def serialize(self) -> dict[str, Any]:
        """Return what Airflow stores in a serialized DAG or in XCom."""
        return self.to_dict()

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> CallWindow:
        """Read back what :meth:`serialize` has returned."""
        return CallWindow.from_value(data)

    def __repr__(self) -> str:
        return f"CallWindow({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"

    def __str__(self) -> str:
        # Templates and Airflow's mapped tasks turn it into text. from_value reads that back.
        return json.dumps(self.to_dict())


def _timestamp(at: datetime) -> float:
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone: give an aware datetime")
    return at.timestamp()


def _read_holidays(value: Any) -> tuple[date | str, ...]:
    entries = read_holidays(value)
    for entry in entries:
        if isinstance(entry, str):
            check_installed(entry)
    return entries


@cache
def _zone(name: str) -> tzinfo:
    """Read a time zone; pendulum alone would read its file each time."""
    return pendulum.timezone(name)


def _listed(zones: tuple[str, ...]) -> str:
    if len(zones) > MOST_ZONES_NAMED:
        return f"{', '.join(zones[:MOST_ZONES_NAMED])} and {len(zones) - MOST_ZONES_NAMED} more"
    return " and ".join(filter(None, [", ".join(zones[:-1]), zones[-1]]))


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "start": read_time,
    "end": read_end,
    "timezone": read_timezone,
    "weekdays": read_weekdays,
    "holidays": _read_holidays,
}
