"""Words for ears: what reads well in a log and sounds like noise on a phone is put so that it can be understood."""

from __future__ import annotations

import re
from collections import deque
from urllib.parse import urlsplit

_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;?]*[@-~]")

# Full-width punctuation ends a link too, since Chinese and Japanese put no blank behind one.
_LINK = re.compile(
    r"(?<![a-z0-9])[a-z][a-z0-9+.-]{0,30}://[^\s<>\"|\u3000-\u303f\uff00-\uffef]+", re.IGNORECASE
)
_AFTER_A_LINK = ".,;:!?'\")]}»”’…"

_TRACEBACK = re.compile(r"(?P<group>[ +]*Exception Group )?Traceback \(most recent call last\):\s*$")
_CHAINS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)

_LOWER, _UPPER = "[a-zß-öø-ÿ]", "[A-ZÀ-ÖØ-Þ]"
_NEW_WORD = re.compile(
    # loadOrders, but not kWh; HTTPServer, but not DAGs; orders2Warehouse.
    f"(?<={_LOWER}{_LOWER})(?={_UPPER})|(?<=[A-ZÀ-ÖØ-Þ0-9])(?={_UPPER}{_LOWER}{_LOWER})"
)


def words_for_ears(text: str) -> str:
    """Rewrite text so that it can be understood when it is said.

    - a traceback becomes its last line, of chained tracebacks that of the last one
    - a URL becomes ``a link to`` its host, which also keeps passwords and tokens in it unsaid
    - ``snake_case`` and ``camelCase`` become words: ``load_orders_v2`` is said as ``load orders v2``
    - colours meant for a terminal are dropped

    Text that consists of nothing else comes back as it was.
    """
    words = _TERMINAL_COLOURS.sub("", text)
    words = _without_frames(words)
    words = _LINK.sub(_name_link, words)
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


def _without_frames(text: str) -> str:
    """Keep of every traceback what it ends with: the exception and its message."""
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
    """Drop the lines up to the one that names the exception; what a group is made of goes as well."""
    frame = re.compile(r"\s*\|\s{2,}" if is_group else re.escape(margin) + r"\s+\S")
    while lines and frame.match(lines[0]):
        lines.popleft()
    if not is_group or not lines:
        return
    named = lines.popleft().lstrip(" |")
    while lines and re.match(r"\s*[|+]", lines[0]):
        lines.popleft()
    lines.appendleft(named)
