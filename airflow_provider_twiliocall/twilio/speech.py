"""Rewrite text that reads well in a log so that it can be understood on a phone."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;?]*[@-~]")

# Full-width punctuation ends a link, because Chinese and Japanese put no blank after it.
_LINK = re.compile(
    r"(?<![a-z0-9])[a-z][a-z0-9+.-]{0,30}://[^\s<>\"|\u3000-\u303f\uff00-\uffef]+", re.IGNORECASE
)
_AFTER_A_LINK = ".,;:!?'\")]}»”’…"

_TRACEBACK = re.compile(r"(?P<group>[ +]*Exception Group )?Traceback \(most recent call last\):\s*$")
_CHAINS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)

# How Airflow masks a secret. A longer row of stars is a line, or bold in Markdown.
_MASK = re.compile(r"(?<!\*)\*{3}(?!\*)")
MASK_SAID = "redacted"

# ISO 8601, as dates, logs and Airflow's run ids have it. What Airflow appends to a run id is dropped.
_STAMP = re.compile(
    r"(?<![0-9A-Za-z.:/+-])(?P<is_run>(?<=__))?"
    r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?P<colon>:?)(?P<minute>\d\d)(?:(?P=colon)\d\d(?:[.,]\d{1,9})?)?"
    r"(?: ?(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)|(?P<utc>Z))?)?"
    r"(?(is_run)(?:_[A-Za-z0-9]{8})?)(?![0-9A-Za-z:/-]|[.,]\d)"
)
_MONTHS = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
]  # fmt: skip

_LOWER, _UPPER = "[a-zß-öø-ÿ]", "[A-ZÀ-ÖØ-Þ]"
_NEW_WORD = re.compile(
    # loadOrders, but not kWh; HTTPServer, but not DAGs; orders2Warehouse.
    f"(?<={_LOWER}{_LOWER})(?={_UPPER})|(?<=[A-ZÀ-ÖØ-Þ0-9])(?={_UPPER}{_LOWER}{_LOWER})"
)


def words_for_ears(text: str, *, language: str | None = None) -> str:
    """Rewrite text so that it can be understood when it is said.

    - a traceback becomes its last line, of chained tracebacks that of the last one
    - a URL becomes ``a link to`` its host, so passwords and tokens in it are not said
    - a timestamp becomes a date and a time: ``manual__2026-11-25T22:59:42+00:00`` is said as
      ``manual 25 November 2026 at 22:59 UTC``
    - ``***``, Airflow's mask of a secret, is said as ``redacted``
    - ``snake_case`` and ``camelCase`` become words: ``load_orders_v2`` is said as ``load orders v2``
    - colours meant for a terminal are dropped

    Text that would become empty comes back unchanged.

    :param language: of the text, such as ``fr-FR``. Months are named in English only. In other languages dates stay
        numbers, which their voices can read. Default: English
    """
    words = _TERMINAL_COLOURS.sub("", text)
    words = _without_frames(words)
    words = _LINK.sub(_name_link, words)
    is_english = language is None or language.lower().startswith("en")
    words = _STAMP.sub(lambda found: _moment(found, is_english=is_english), words)
    words = _MASK.sub(_name_mask, words)
    words = _NEW_WORD.sub(" ", words.replace("_", " "))
    return words if words.strip() else text


def _name_link(found: re.Match[str]) -> str:
    link = found[0].rstrip(_AFTER_A_LINK)
    punctuation = found[0][len(link) :]
    try:
        host = urlsplit(link).hostname
    except ValueError:
        return f"a link{punctuation}"
    return f"a link to {host}{punctuation}" if host else found[0]


def _moment(found: re.Match[str], *, is_english: bool) -> str:
    """Put a timestamp into words. What only looks like one does not change."""
    part: dict[str, Any] = found.groupdict()
    if part["hour"] is None and not part["dash"]:
        return found[0]
    year, month, day = int(part["year"]), int(part["month"]), int(part["day"])
    try:
        moment = datetime(year, month, day, int(part["hour"] or 0), int(part["minute"] or 0))
    except ValueError:
        return found[0]
    said = f"{day} {_MONTHS[month - 1]} {year}" if is_english else f"{moment:%Y-%m-%d}"
    if part["hour"] is None:
        return said
    return f"{said}{' at' if is_english else ''} {moment:%H:%M}{_zone(part, is_english=is_english)}"


def _zone(part: Mapping[str, Any], *, is_english: bool) -> str:
    if part["sign"] is None:
        return " UTC" if part["utc"] else ""
    hours, minutes = int(part["hours"]), int(part["minutes"])
    if not hours and not minutes:
        return " UTC"
    sign = {"+": " plus ", "-": " minus "}[part["sign"]] if is_english else part["sign"]
    return f" UTC{sign}{hours}{f':{minutes:02}' if minutes else ''}"


def _name_mask(found: re.Match[str]) -> str:
    start, end = found.span()
    before, after = found.string[max(0, start - 1) : start], found.string[end : end + 1]
    return f"{' ' if before.isalnum() else ''}{MASK_SAID}{' ' if after.isalnum() else ''}"


def _without_frames(text: str) -> str:
    """Cut every traceback to its end: the exception and its message."""
    said: list[str] = []
    last_traceback: int | None = None
    lines = deque(text.split("\n"))
    while lines:
        line = lines.popleft()
        header = _TRACEBACK.search(line)
        if header:
            before = line[: header.start()]
            if before.strip():
                said.append(before.rstrip())
            last_traceback = len(said)
            _drop_frames(lines, margin="" if before.strip() else before, is_group=bool(header["group"]))
        elif last_traceback is not None and line.strip() in _CHAINS:
            del said[last_traceback:]
        else:
            said.append(line)
    return "\n".join(said)


def _drop_frames(lines: deque[str], *, margin: str, is_group: bool) -> None:
    """Drop the lines up to the one that names the exception, and the exceptions inside a group."""
    frame = re.compile(r"\s*\|\s{2,}" if is_group else re.escape(margin) + r"\s+\S")
    while lines and frame.match(lines[0]):
        lines.popleft()
    if not is_group or not lines:
        return
    named = lines.popleft().lstrip(" |")
    while lines and re.match(r"\s*[|+]", lines[0]):
        lines.popleft()
    lines.appendleft(named)
