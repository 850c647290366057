"""Times of day, weekdays, holidays and time zones as people write them, and as templates leave them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, time
from enum import Enum
from typing import Any

import pendulum

from airflow_provider_twiliocall.rendered import is_nothing, is_template

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""In the order of their numbers in ISO 8601: Monday is 1, Sunday is 7."""


def read_time(value: Any) -> time:
    """Read ``"09:00"``, ``"09:00:30"`` or a :class:`datetime.time`, to the second."""
    if isinstance(value, time):
        if value.tzinfo is not None:
            raise ValueError(
                f"{value!r:.80} has a time zone of its own: leave it out, the window's timezone counts"
            )
        return time(value.hour, value.minute, value.second)
    found = (
        re.fullmatch(r"\s*([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?\s*", value)
        if isinstance(value, str)
        else None
    )
    if found is None:
        raise ValueError(f"{value!r:.80} is no time of day: write it as text with a colon, e.g. '09:00'")
    hour, minute, second = (int(digits or 0) for digits in found.groups())
    if (hour, minute, second) == (24, 0, 0):
        raise ValueError(
            f"{value!r:.80} is written '00:00': as an end it is the midnight at the end of the day"
        )
    try:
        return time(hour, minute, second)
    except ValueError:
        raise ValueError(f"{value!r:.80} is no time of day: those are '00:00' to '23:59'") from None


def show_time(clock: time) -> str:
    """Write a time so that it is read back, seconds only where there are some."""
    return clock.isoformat("seconds" if clock.second else "minutes")


def read_timezone(value: Any) -> str:
    """Read the name of a time zone, or a zone that has one.

    :raises ValueError: nothing is known under this name; the message has names that are like it
    """
    name = str(getattr(value, "key", value)).strip() if value is not None else ""
    if is_nothing(name):
        raise ValueError(
            f"{value!r:.80} names no time zone: give the callee's, e.g. 'Europe/Paris'; nobody is called whose time is "
            "not known"
        )
    if is_template(name):
        raise ValueError(
            f"{name!r:.80} is a template, which a CallWindow cannot render: give call_window a dict, "
            '{"start": …, "end": …, "timezone": "{{ … }}"}'
        )
    # Some machines have these files among their zones; what they mean differs from machine to machine.
    is_a_zone = name not in ("localtime", "posixrules", "Factory") and not name.startswith(
        ("right/", "posix/")
    )
    try:
        if is_a_zone:
            return pendulum.timezone(name).name
    except (ValueError, OSError):
        pass
    nearest = _zones_like(name)
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else "give a name such as 'Europe/Paris'"
    raise ValueError(f"{name!r:.80} is not a time zone that is known here: {hint}")


def _zones_like(name: str) -> list[str]:
    # Only a mistake pays for this one.
    from difflib import get_close_matches

    wanted = re.sub(r"[\s-]+", "_", name.casefold())[:50]
    known = {}
    for zone in sorted(pendulum.timezones()):
        folded = zone.casefold()
        known[folded] = zone
        known.setdefault(folded.rpartition("/")[2], zone)
    nearest = [wanted] if wanted in known else get_close_matches(wanted, known, n=3, cutoff=0.75)
    return list(dict.fromkeys(known[key] for key in nearest))


def read_weekdays(value: Any) -> tuple[str, ...]:
    """Read names, beginnings of names and numbers of weekdays, in the order of the week; None is all of them."""
    if value is None:
        return WEEKDAYS
    opening = {_weekday(entry) for entry in _entries(value, "weekdays, such as ['monday', 'tuesday']")}
    if not opening:
        raise ValueError(
            f"{value!r:.80} has no day, so the window never opens: leave weekdays out for every day"
        )
    return tuple(day for day in WEEKDAYS if day in opening)


def _weekday(value: Any) -> str:
    # pendulum.MONDAY and calendar.MONDAY are 0: their names are clear, their numbers are not.
    name = (value.name if isinstance(value, Enum) else str(value)).strip().casefold()
    if re.fullmatch("[1-7]", name):
        return WEEKDAYS[int(name) - 1]
    named = [day for day in WEEKDAYS if len(name) >= 3 and day.startswith(name)]
    if not named or isinstance(value, bool):
        raise ValueError(
            f"{value!r:.80} is no weekday: give names such as 'monday' or 'mon', or 1 (Monday) to 7 (Sunday)"
        )
    return named[0]


def read_holidays(value: Any) -> tuple[date, ...]:
    """Read dates and datetimes, in order; None is none of them."""
    if value is None:
        return ()
    return tuple(sorted({_day(entry) for entry in _entries(value, "dates, such as ['2026-12-25']")}))


def _day(value: Any) -> date:
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    found = (
        re.fullmatch(r"\s*([0-9]{4}-[0-9]{2}-[0-9]{2})([T\s].*)?", value) if isinstance(value, str) else None
    )
    try:
        if found:
            return date.fromisoformat(found[1])
    except ValueError:
        pass
    raise ValueError(f"{value!r:.80} is no date: write year, month and day, e.g. '2026-12-25'")


def _entries(value: Any, what: str) -> list[Any]:
    """Take a list, one entry, or text with commas or the brackets and quotes that a template leaves of a list."""
    if isinstance(value, str):
        return [entry for entry in re.split(r"[,;\s\[\]()'\"]+", value) if entry]
    if isinstance(value, (int, date)):
        return [value]
    if not isinstance(value, Iterable):
        raise ValueError(f"{value!r:.80} is no list of {what}")
    return list(value)
