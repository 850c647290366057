"""The do-not-call list: who must not be rung, compared in E.164 however the list is written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from airflow_provider_twiliocall.rendered import literal_in
from airflow_provider_twiliocall.twilio.phone_number import is_phone_number, normalize_phone_number

_SHOWN_PROBLEMS = 10


class DoNotCallList:
    """Numbers, ``client:`` names and SIP addresses that must not be called.

    Nobody is left out of the list because of a slip: an entry that cannot be compared with a number to dial,
    such as ``(500) 555-1000`` without its country code, refuses the whole list.

    :param entries: as people write them, ``+33 6 12-34 56 78``; no separators between them, see :meth:`from_value`
    :raises ValueError: says which entries cannot be compared, and how to mend them; whole numbers are not shown
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        problems: list[str] = []
        listed: set[str] = set()
        for place, entry in enumerate(entries, start=1):
            if isinstance(entry, str) and not entry.strip():
                continue
            try:
                listed.add(_comparable(entry))
            except ValueError as error:
                problems.append(f"entry {place}: {error}")
        if problems:
            more = len(problems) - _SHOWN_PROBLEMS
            shown = "; ".join(problems[:_SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
            raise ValueError(
                f"nobody is called, because do_not_call has what no callee can be compared with: {shown}"
            )
        self.numbers = frozenset(listed)

    @classmethod
    def from_value(cls, value: Any) -> DoNotCallList:
        """Read a list, or text as it stands in a Variable or comes out of a template; None is an empty list.

        In text the entries have commas, semicolons or line ends between them; blanks do where the next entry
        starts with a ``+``. Text may also be a list as JSON or Python writes it.

        :raises ValueError: as the class does, or the value is neither text nor a list
        """
        if isinstance(value, DoNotCallList):
            return value
        if value is None:
            return cls()
        if isinstance(value, str):
            return cls(_entries_in(value))
        if isinstance(value, (list, tuple, set, frozenset)):
            return cls(value)
        raise ValueError(
            f"do_not_call is {type(value).__name__}: give a list of numbers, or text with commas or line ends "
            "between them"
        )

    def is_listed(self, to: str) -> bool:
        """Say whether the callee must not be called.

        :raises ValueError: the callee is no number that could be compared
        """
        return _comparable(to) in self.numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)}>"


def _comparable(address: str) -> str:
    """Bring a callee to the one way of writing in which two that are the same look the same."""
    if isinstance(address, str) and not is_phone_number(address):
        scheme, colon, _ = address.strip().partition(":")
        if colon and scheme.lower() in ("client", "sip", "sips"):
            return address.strip().casefold()
    return normalize_phone_number(address)


def _entries_in(text: str) -> list[Any]:
    text = text.strip()
    if text.startswith(("[", "('", '("', "{'", '{"')):
        with suppress(ValueError):
            entries = literal_in(text)
            if isinstance(entries, (list, tuple, set)):
                return list(entries)
    return re.split(r"[,;\r\n，；、]+|(?<=\s)(?=\+|client:|sips?:)", text)
