"""Phone numbers: brought to E.164 before they are dialled, and redacted before they are written down."""

from __future__ import annotations

import re
import unicodedata

# Police, fire brigade and ambulance in the more populous countries.
EMERGENCY_NUMBERS = frozenset([
    "000", "10111", "108", "110", "111", "112", "113", "115", "117", "118", "119", "120",
    "122", "123", "15", "17", "18", "190", "191", "192", "193", "911", "988", "999",
])  # fmt: skip

_SEPARATORS = frozenset("()./·•\N{MINUS SIGN}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_REDACTED = re.compile(r"\+?\d?\*{7}\d{0,4}|\D?\*{4}")
_FULL_NUMBER = re.compile(
    r"(?:[+＋]|%2[Bb])"
    r"(?:\d{10,}|\d{1,14}(?:[\s().\-\N{HYPHEN}-\N{HORIZONTAL BAR}/]{1,3}\d{1,12}){1,7}|\d{7,})"
)


def normalize_phone_number(value: str) -> str:
    """Bring a phone number as people write it to E.164: ``+33 6 12-34 56 78`` becomes ``+33612345678``.

    Blanks, dashes, dots, slashes, parentheses and the invisible marks that come along when a number is
    copied are dropped. Nothing is guessed: a number that lacks its country code is refused.

    :raises ValueError: the value is not a number that can be dialled from anywhere; the message shows the
        value (redacted if it holds a whole number) and says how to mend it.
    """
    if not isinstance(value, str):
        raise ValueError(
            f"{show_address(value)} is not text: give the number as a string, e.g. '+15551234567'"
        )
    if _E164.fullmatch(value):
        return value
    compact = "".join(character for character in value if not _is_separator(character))
    digits = compact.removeprefix("+")
    shown = show_address(value)

    if not digits:
        raise ValueError(f"{shown} has no digits: give a number such as +15551234567")
    if any(character.isalpha() for character in digits):
        raise ValueError(
            f"{shown} has letters: write digits only, e.g. +15551234567 (an extension goes in send_digits)"
        )
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(
            f"{shown} has characters other than + and the digits 0 to 9: "
            "type it anew in plain digits, e.g. +15551234567"
        )
    if _is_emergency(compact):
        raise ValueError(f"{shown} is an emergency number: those are never called from here, remove it")
    if digits.startswith("00"):
        raise ValueError(f"{shown} starts with 00: write + instead of 00, e.g. +15551234567")
    if len(digits) < 7:
        raise ValueError(
            f"{shown} is a short number, and those only work inside one network: "
            "give a full number with + and the country code, e.g. +15551234567"
        )
    if not compact.startswith("+"):
        raise ValueError(f"{shown} is not E.164: start with + and the country code, e.g. +15551234567")
    if re.search(r"\(\s*0\s*\)", value):
        raise ValueError(f"{shown} has a (0), which is dialled inside the country only: leave it out")
    if digits.startswith("0"):
        raise ValueError(f"{shown} has no country code, none starts with 0: e.g. +15551234567")
    if len(digits) > 15:
        raise ValueError(f"{shown} has {len(digits)} digits and E.164 allows 15: is it two numbers in one?")
    return compact


def is_phone_number(value: object) -> bool:
    """Say whether this is meant as a phone number, well written or not, and not ``client:`` or ``sip:``."""
    if not isinstance(value, str) or "@" in value:
        return False
    first = next((character for character in value if not _is_separator(character)), "")
    return first in ("+", "\N{FULLWIDTH PLUS SIGN}") or first.isdigit()


def redact_phone_number(value: str) -> str:
    """Hide a number, client or SIP address so that it can be recognised but neither dialled nor read out.

    ``+1*******5310``, ``client:a****``, ``sip:a****@host``: the stars do not tell how much they stand for.
    What is redacted already stays as it is.
    """
    scheme, colon, name = value.partition(":")
    if colon and scheme.lower() in ("client", "sip", "sips"):
        user, at, host = name.partition("@")
        return f"{scheme}:{_redact_name(user)}{at}{redact_phone_numbers_in(host)}"
    return _redact_name(value)


def redact_phone_numbers_in(text: str) -> str:
    """Redact every number that starts with a + inside a longer text, such as an error message of Twilio's."""
    return _FULL_NUMBER.sub(lambda found: _redact_digits(found[0]) or found[0], text)


def show_address(value: object) -> str:
    """Show a refused callee or caller in an error: the mistake stays visible, a whole number does not.

    ``'5551234567'`` is shown, since its missing country code is what has to be mended. What holds every digit
    of a number that could be dialled is masked between its first and its last four digits.
    """
    text = repr(value)
    digits = [index for index, character in enumerate(text) if character.isdigit()]
    international = (
        isinstance(value, (int, float)) or "+" in text or "(0)" in text or re.match(r"\W*00", text)
    )
    hidden = digits[1:-4] if international and len(digits) >= 7 else []
    masked = "".join("*" if index in hidden else character for index, character in enumerate(text))
    return masked if len(masked) <= 80 else f"{masked[:79]}…"


def _is_separator(character: str) -> bool:
    # Cf are marks without width, which come along when a number is copied from contacts or chats.
    return (
        character in _SEPARATORS
        or character.isspace()
        or unicodedata.category(character) in ("Zs", "Pd", "Cf")
    )


def _is_emergency(compact: str) -> bool:
    if compact.removeprefix("+") in EMERGENCY_NUMBERS:
        return True
    with_country_code = re.fullmatch(r"\+[1-9][0-9]{0,2}?([0-9]{3})", compact)
    return with_country_code is not None and with_country_code[1] in EMERGENCY_NUMBERS


def _redact_name(name: str) -> str:
    if _REDACTED.fullmatch(name):
        return name
    if is_phone_number(name):
        return _redact_digits(name) or "*******"
    return f"{name[0]}****" if len(name) > 2 and not name[0].isdigit() else "****"


def _redact_digits(number: str) -> str | None:
    """Keep the first digit of an international number and the last four; None where that is nearly all."""
    digits = [
        character for character in re.sub("^%2b", "+", number, flags=re.IGNORECASE) if character.isdigit()
    ]
    if len(digits) < 7:
        return None
    first = "" if number[0].isdigit() else f"+{digits[0]}"
    return f"{first}*******{''.join(digits[-4:])}"
