"""The do-not-call list: who must not be rung, however the list and the callee are written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_twiliocall.arguments.templated import all_entries_in
from airflow_provider_twiliocall.twilio.callee import Callee, is_same_phone

_SHOWN_PROBLEMS = 10


class DoNotCallList:
    """Numbers, ``client:`` names and SIP addresses that must not be called.

    An entry that cannot be compared with a number, such as ``(500) 555-1000`` without country code, refuses the whole
    list, so that a typing error does not ring anybody on it. A SIP or client user that is a phone number, with its
    country code or without, is the same callee as the number.

    :param entries: as people write them, ``+33 6 12-34 56 78``. For text with several, see :meth:`from_value`
    :param default_country: of phone numbers without country code, as ISO 3166 has it
    :raises ValueError: says which entries cannot be compared, and how to fix them; whole numbers are not shown
    """

    def __init__(self, entries: Iterable[Any] = (), *, default_country: str | None = None) -> None:
        problems: list[str] = []
        listed: set[Callee] = set()
        for place, entry in enumerate(entries, start=1):
            if isinstance(entry, str) and not entry.strip():
                continue
            try:
                listed.add(Callee.of(entry, default_country=default_country))
            except ValueError as error:
                problems.append(f"entry {place}: {error}")
        if problems:
            more = len(problems) - _SHOWN_PROBLEMS
            shown = "; ".join(problems[:_SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
            raise ValueError(
                f"nobody is called, because do_not_call has entries that cannot be compared with a callee: {shown}"
            )
        self.numbers = frozenset(callee.address for callee in listed)
        self._default_country = default_country
        self._phones_of_users = frozenset(phone for callee in listed for phone in callee.phones)

    @classmethod
    def from_value(cls, value: Any, *, default_country: str | None = None) -> DoNotCallList:
        """Read a list, or text from a Variable or a template; None is an empty list.

        In text the entries have commas, semicolons or line ends between them, see :func:`.all_entries_in`. Text may
        also be a list as JSON or Python writes it.

        :raises ValueError: as the class does, or the value is neither text nor a list
        """
        if isinstance(value, DoNotCallList):
            return value
        if value is None:
            return cls()
        if isinstance(value, (str, list, tuple, set, frozenset)):
            return cls(_entries_in(value), default_country=default_country)
        raise ValueError(
            f"do_not_call is {type(value).__name__}: give a list of numbers, or text with commas or line ends "
            "between them"
        )

    def is_listed(self, to: str) -> bool:
        """Say whether the callee must not be called.

        :raises ValueError: the callee cannot be compared with the list
        """
        callee = Callee.of(to, default_country=self._default_country)
        if callee.address in self.numbers:
            return True
        if callee.is_phone_number:
            return _is_among(callee.address[1:], self._phones_of_users)
        listed = {number[1:] for number in self.numbers if number.startswith("+")} if callee.phones else ()
        return any(_is_among(phone, (*self._phones_of_users, *listed)) for phone in callee.phones)

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)}>"


def _is_among(phone: str, others: Iterable[str]) -> bool:
    return any(is_same_phone(phone, other) for other in others)


def _entries_in(value: Any) -> list[Any]:
    try:
        return all_entries_in(value)
    except ValueError as error:
        raise ValueError(f"nobody is called, because do_not_call cannot be read: {error}") from None
