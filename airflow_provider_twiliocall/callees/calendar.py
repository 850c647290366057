"""Read times of day, weekdays, holidays and time zones, as people write them and as templates render them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, time
from enum import Enum
from typing import Any

import pendulum

from airflow_provider_twiliocall.arguments.templated import is_blank, is_template

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""In the order of their numbers in ISO 8601: Monday is 1, Sunday is 7."""

CALLEE = "callee"
"""Stands for the time zones of the callee's number."""

# The zone that people mean by it, and the zone that it is.
_WITHOUT_SUMMER_TIME = {
    "EST": ("America/New_York", "America/Panama"),
    "MST": ("America/Denver", "America/Phoenix"),
}

# Names of a zone in one half of the year.
_ABBREVIATIONS = {
    "EDT": ("America/New_York",),
    "CST": ("America/Chicago",),
    "CDT": ("America/Chicago",),
    "MDT": ("America/Denver",),
    "PST": ("America/Los_Angeles",),
    "PDT": ("America/Los_Angeles",),
    "BST": ("Europe/London",),
    "CEST": ("Europe/Berlin", "Europe/Paris"),
    "EEST": ("Europe/Athens", "Europe/Helsinki"),
    "MSK": ("Europe/Moscow",),
    "IST": ("Asia/Kolkata",),
    "SGT": ("Asia/Singapore",),
    "HKT": ("Asia/Hong_Kong",),
    "JST": ("Asia/Tokyo",),
    "KST": ("Asia/Seoul",),
    "AEST": ("Australia/Sydney", "Australia/Brisbane"),
    "AEDT": ("Australia/Sydney",),
    "NZST": ("Pacific/Auckland",),
    "NZDT": ("Pacific/Auckland",),
}

_OFFSET = re.compile(
    r"(etc/)?((utc|gmt|z)\s*[+\-\N{MINUS SIGN}]?|[+\-\N{MINUS SIGN}])\s*[0-9]{1,2}(:?[0-9]{2})?",
    re.IGNORECASE,
)
# Of the few zones that are offsets, the sign means the opposite of what people mean by it.
_OTHER_SIGN = str.maketrans("+-", "-+")
_ZONE_OF_OFFSET = re.compile(r"Etc/GMT[+-](?!0$)[0-9]{1,2}")


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
        raise ValueError(f"{value!r:.80} is not a time of day: write it as text with a colon, e.g. '09:00'")
    hour, minute, second = (int(digits or 0) for digits in found.groups())
    if (hour, minute, second) == (24, 0, 0):
        raise ValueError(f"{value!r:.80} is the midnight at the end of a day: as a start, write '00:00'")
    try:
        return time(hour, minute, second)
    except ValueError:
        raise ValueError(f"{value!r:.80} is not a time of day: those are '00:00' to '23:59'") from None


def read_end(value: Any) -> time:
    """Read the end of a window: a time, or ``"24:00"``, which is read as 00:00."""
    return time() if is_end_of_day(value) else read_time(value)


def is_end_of_day(value: Any) -> bool:
    """Say whether this is ``"24:00"``."""
    return isinstance(value, str) and re.fullmatch(r"\s*24:00(:00)?\s*", value) is not None


def show_time(clock: time) -> str:
    """Write a time so that it is read back, seconds only where there are some."""
    return clock.isoformat("seconds" if clock.second else "minutes")


def show_end(clock: time) -> str:
    """Write the end of a window so that it is read back: ``24:00`` for midnight."""
    return show_time(clock) if clock != time() else "24:00"


def read_timezone(value: Any) -> str:
    """Read the name of a time zone, or a zone that has one, or ``callee``.

    :raises ValueError: the name is not known; the message has similar names
    """
    name = str(getattr(value, "key", value)).strip() if value is not None else ""
    if is_blank(name):
        raise ValueError(
            f"{value!r:.80} names no time zone: give the callee's, e.g. 'Europe/Paris'; without it nobody is called"
        )
    if is_template(name):
        raise ValueError(
            f"{name!r:.80} is a template, which a CallWindow cannot render: give call_window a dict, "
            '{"start": …, "end": …, "timezone": "{{ … }}"}'
        )
    if name.casefold() == CALLEE:
        return CALLEE
    if name in _WITHOUT_SUMMER_TIME:
        meant, fits = _WITHOUT_SUMMER_TIME[name]
        raise ValueError(
            f"{name!r} has no summer time, so a phone in {meant} would ring an hour off for half of the year: give "
            f"{meant}, or {fits} for a place that never changes its clocks"
        )
    if _ZONE_OF_OFFSET.fullmatch(name):
        raise ValueError(
            f"{name!r} is UTC{name[7:].translate(_OTHER_SIGN)}, because its sign is reversed: give a place, such as "
            "'Europe/Berlin'"
        )
    try:
        if _is_a_zone(name):
            return pendulum.timezone(name).name
    except (ValueError, OSError):
        pass
    if _OFFSET.fullmatch(name):
        raise ValueError(
            f"{name!r:.80} is not a time zone known here: give a name such as 'Europe/Berlin', because an offset "
            "does not tell when the clocks change"
        )
    nearest = _zones_like(name)
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else "give a name such as 'Europe/Paris'"
    raise ValueError(f"{name!r:.80} is not a time zone known here: {hint}")


def _is_a_zone(name: str) -> bool:
    # Some machines list these files as zones. They mean something else on each machine.
    return name not in ("localtime", "posixrules", "Factory") and not name.startswith(("right/", "posix/"))


def _zones_like(name: str) -> list[str]:
    # Imported here: only a mistake needs it.
    from difflib import get_close_matches

    wanted = re.sub(r"[\s-]+", "_", name.casefold())[:50]
    if zones := _ABBREVIATIONS.get(wanted.upper()):
        return list(zones)
    known: dict[str, str] = {}
    for zone in sorted(filter(_is_a_zone, pendulum.timezones())):
        if _ZONE_OF_OFFSET.fullmatch(zone):
            continue
        known[zone.casefold()] = zone
        known.setdefault(zone.casefold().rpartition("/")[2], zone)
    if wanted in known:
        return [known[wanted]]
    region, slash, place = wanted.rpartition("/")
    if slash and place in known:
        # The place is right, and the region is not.
        return [known[place]]
    of_region = {key: zone for key, zone in known.items() if key.startswith(f"{region}/")} if slash else {}
    nearest = get_close_matches(wanted, of_region or known, n=3, cutoff=0.75)
    return list(dict.fromkeys((of_region or known)[key] for key in nearest))


def read_weekdays(value: Any) -> tuple[str, ...]:
    """Read names, short names and numbers of weekdays, and ranges of them such as ``mon-fri``.

    Returns them in the order of the week. None means all.
    """
    if value is None:
        return WEEKDAYS
    if isinstance(value, str):
        value = _RANGE.sub("-", value)
    entries = _entries(value, "weekdays, such as ['monday', 'tuesday']")
    opening = {day for entry in entries for day in _weekdays_of(entry)}
    if not opening:
        raise ValueError(
            f"{value!r:.80} has no day, so the window never opens: leave weekdays out for every day"
        )
    return tuple(day for day in WEEKDAYS if day in opening)


def _weekdays_of(value: Any) -> Iterable[str]:
    if not isinstance(value, str):
        return [_weekday(value)]
    first, dash, last = _RANGE.sub("-", value).strip().partition("-")
    if not dash:
        return [_weekday(first)]
    begin, end = (_number_of(day, within=value) for day in (first, last))
    # A range may go over Sunday: sat-mon.
    return [WEEKDAYS[(begin + days) % 7] for days in range((end - begin) % 7 + 1)]


def _number_of(name: str, *, within: str) -> int:
    try:
        return WEEKDAYS.index(_weekday(name))
    except ValueError:
        raise ValueError(
            f"{within!r:.80} is not a range of weekdays: write the first and the last one, such as 'mon-fri'"
        ) from None


def _weekday(value: Any) -> str:
    # By name, because pendulum.MONDAY and calendar.MONDAY are 0.
    name = (value.name if isinstance(value, Enum) else str(value)).strip().casefold()
    if re.fullmatch("[1-7]", name):
        return WEEKDAYS[int(name) - 1]
    named = [day for day in WEEKDAYS if len(name) >= 3 and day.startswith(name)]
    if not named or isinstance(value, bool):
        raise ValueError(
            f"{value!r:.80} is not a weekday: give names such as 'monday' or 'mon', or 1 (Monday) to 7 (Sunday)"
        )
    return named[0]


def read_holidays(value: Any) -> tuple[date | str, ...]:
    """Read dates, datetimes and codes of countries. Returns dates in order, then codes as ``FR`` or ``US-CA``.

    None is no holiday. It does not check whether the country exists.
    """
    if value is None:
        return ()
    entries = {_day_or_country(entry) for entry in _entries(value, "dates, such as ['2026-12-25']")}
    days = sorted(entry for entry in entries if isinstance(entry, date))
    return (*days, *sorted(entry for entry in entries if isinstance(entry, str)))


def _day_or_country(value: Any) -> date | str:
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    text = value.strip() if isinstance(value, str) else ""
    try:
        if found := re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([T\s].*)?", text):
            return date.fromisoformat(found[1])
    except ValueError:
        pass
    if found := re.fullmatch(r"([A-Za-z]{2,3})(?:[-_](\w+))?", text):
        return found[1].upper() + (f"-{found[2].upper()}" if found[2] else "")
    raise ValueError(
        f"{value!r:.80} is not a date: write year, month and day, e.g. '2026-12-25', or a country such as 'FR' or "
        "'US-CA' for its public holidays"
    )


# Between two weekdays: mon-fri, monday : friday, mon to fri, with any dash.
_RANGE = re.compile(r"\s*(?:[-:\N{HYPHEN}-\N{EM DASH}]|\.\.|\bto\b)\s*")


def _entries(value: Any, what: str) -> list[Any]:
    """Take a list, one entry, or text with commas or the brackets and quotes that a template leaves of a list."""
    if isinstance(value, str):
        return [entry for entry in re.split(r"[,;\s\[\]()'\"]+", value) if entry]
    if isinstance(value, (int, date)):
        return [value]
    if not isinstance(value, Iterable):
        raise ValueError(f"{value!r:.80} is not a list of {what}")
    return list(value)
