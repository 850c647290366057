"""Who is rung with an address: compares addresses, however they are written."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote

from airflow_provider_twiliocall.twilio.number_reading import normalize_phone_number
from airflow_provider_twiliocall.twilio.phone_number import is_phone_number, show_address, without_separators

_SCHEME = re.compile(r"(client|sips?|tel):", re.IGNORECASE)
_IN_ANGLE_BRACKETS = re.compile(r"[^<>]*<([^<>]*)>\s*(?:;[^<>]*)?")
_HOST = re.compile(r"(\[[^\]]*\]|[^:;?/\s]+)")
# SIP users often lack the country code, so this many digits at the end of a number stand for the whole.
_FEWEST_DIGITS = 7


@dataclass(frozen=True)
class Callee:
    """Who is rung.

    :param address: written so that equal addresses are equal: E.164, ``client:name`` or ``sip:user@host``, without
        parameters, headers, password and port, in lower case
    :param phones: the digits of the phone that a SIP or client user may be, with the country code or without
    """

    address: str
    phones: frozenset[str] = frozenset()

    @classmethod
    def of(cls, address: object, *, default_country: str | None = None) -> Callee:
        """Read an address: a phone number as :func:`.normalize_phone_number` does, or ``client:``, ``sip:``, ``tel:``.

        :raises ValueError: it is not an address, so it cannot be compared
        """
        if not isinstance(address, str) or is_phone_number(address):
            return cls(normalize_phone_number(address, default_country=default_country))
        text = _as_typed(address)
        inner = _IN_ANGLE_BRACKETS.fullmatch(text)
        text = (inner[1] if inner else text).strip()
        scheme = _SCHEME.match(text)
        if scheme is None:
            return cls(normalize_phone_number(text, default_country=default_country))
        name = text[scheme.end() :]
        if scheme[1].lower() == "tel":
            return cls(normalize_phone_number(_number_of_tel(name), default_country=default_country))
        if scheme[1].lower() == "client":
            user, host = name.partition("?")[0], ""
        else:
            user, host = _user_and_host_of_sip(name, shown=show_address(address))
        user = unquote(user).strip()
        if not user:
            raise ValueError(f"{show_address(address)} names nobody: give client:name or sip:user@host")
        kind = "client" if scheme[1].lower() == "client" else "sip"
        return cls(f"{kind}:{user.casefold()}{host}", _phones_of(user, default_country))

    @property
    def is_phone_number(self) -> bool:
        """Whether the address is a phone number itself."""
        return self.address.startswith("+")


def is_same_phone(one: str, other: str) -> bool:
    """Say whether two rows of digits are the same phone, if one may lack the country code."""
    return one.endswith(other) or other.endswith(one)


def _as_typed(text: str) -> str:
    """Drop invisible marks from copied text, and replace look-alike characters by plain ones."""
    return "".join(each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf")


def _user_and_host_of_sip(name: str, *, shown: str) -> tuple[str, str]:
    # The first @: a later one would be in a header.
    user, at, rest = name.partition("@")
    host = _HOST.match(rest)
    if not at or host is None:
        raise ValueError(f"{shown} has no user or no host: give sip:user@host")
    # What follows is a password, or parameters as a telephone number may have them.
    return re.split(r"[:;]", user, maxsplit=1)[0], f"@{host[1].rstrip('.').lower()}"


def _number_of_tel(name: str) -> str:
    number, _, parameters = unquote(name).partition(";")
    is_whole = number.strip().startswith("+") and not re.search(r"\bext=", parameters, re.IGNORECASE)
    return number if is_whole or not parameters else f"{number};{parameters}"


def _phones_of(user: str, default_country: str | None) -> frozenset[str]:
    """Return the digits of a user that is a phone number, in every way to read them."""
    compact = without_separators(user)
    compact = "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in compact)
    if not re.fullmatch(r"\+?[0-9]+", compact):
        return frozenset()
    digits = compact.removeprefix("+")
    found = {digits, digits.removeprefix("0")}
    for text in (compact, f"+{digits}", f"+{digits.removeprefix('00')}"):
        with suppress(ValueError):
            found.add(normalize_phone_number(text, default_country=default_country).removeprefix("+"))
    return frozenset(each for each in found if len(each) >= _FEWEST_DIGITS)
