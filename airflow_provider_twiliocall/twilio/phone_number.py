"""Phone numbers by their characters: what cannot be one, and what of one may be written down.

Parsing a DAG needs no more. What it takes to dial one is in :mod:`.number_reading`.
"""

from __future__ import annotations

import re
import unicodedata

# Police, fire brigade and ambulance in the more populous countries.
EMERGENCY_NUMBERS = frozenset([
    "000", "10111", "108", "110", "111", "112", "113", "115", "117", "118", "119", "120",
    "122", "123", "15", "17", "18", "190", "191", "192", "193", "911", "988", "999",
])  # fmt: skip

AS_TEXT = "give the number as a string, e.g. '+15551234567'"
STARTS_WITH_00 = "starts with 00: write + instead of 00, e.g. +15551234567"
IS_SHORT = (
    "is a short number, and those only work inside one network: "
    "give a full number with + and the country code, e.g. +15551234567"
)
# Of a number with its country code.
SHORTEST, _LONGEST = 7, 15

HAS_DECIMALS = f"has decimals, as a number that was a float: {AS_TEXT}"
_EXPONENT = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?[eE][+-]?[0-9]+")
_EXTENSION = re.compile(r"[0-9][^()]*\(\s*[0-9]+\s*\)\W*$")
_EXTENSION_WORD = re.compile(r"[0-9]\W*(x|ext|extn|extension|poste|durchwahl)\W*[0-9]+$", re.IGNORECASE)
_POINTS = ".·•"
_SEPARATORS = frozenset(f"()/\N{MINUS SIGN}{_POINTS}")
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_REDACTED = re.compile(r"\+?\d?\*{7}\d{0,4}|\D?\*{4}")
_FULL_NUMBER = re.compile(
    r"(?:[+＋]|%2[Bb])"
    r"(?:\d{10,}|\d{1,14}(?:[\s().\-\N{HYPHEN}-\N{HORIZONTAL BAR}/]{1,3}\d{1,12}){1,7}|\d{7,})"
)


def check_digits(value: str) -> None:
    """Refuse what is not a phone number in any country, by its characters alone: cheap enough for parsing a DAG.

    :raises ValueError: as :func:`.normalize_phone_number` does
    """
    if E164.fullmatch(value):
        return
    compact = without_separators(value)
    shown = show_address(value)
    refuse_what_is_no_number(value.strip(), compact, shown)
    if compact.startswith("+"):
        refuse_what_is_not_international(compact.removeprefix("+"), shown)


def is_phone_number(value: object) -> bool:
    """Say whether this is meant as a phone number, well written or not, and not ``client:`` or ``sip:``."""
    if not isinstance(value, str) or "@" in value:
        return False
    first = next((character for character in value if not _is_separator(character)), "")
    return first in ("+", "\N{FULLWIDTH PLUS SIGN}") or first.isdigit()


def without_separators(text: str) -> str:
    """Drop blanks, dashes and the like, and marks without width."""
    return "".join(character for character in text if not _is_separator(character))


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
    # Nearly all texts have none, and to search for one as the pattern does takes far longer.
    if not ("+" in text or "＋" in text or "%2" in text):
        return text
    return _FULL_NUMBER.sub(lambda found: _redact_digits(found[0]) or found[0], text)


def show_address(value: object, *, is_national: bool = False) -> str:
    """Show a refused callee or caller in an error: the mistake stays visible, a whole number does not.

    ``'5551234567'`` is shown, since its missing country code is what has to be fixed. What holds every digit
    of a number that could be dialled is masked between its first and its last four digits.

    :param is_national: whether a country is known for a number without country code, which makes it a whole one
    """
    text = repr(value)
    digits = [index for index, character in enumerate(text) if character.isdigit()]
    international = (
        is_national
        or isinstance(value, (int, float))
        or "+" in text
        or "(0)" in text
        or re.match(r"\W*00", text)
    )
    hidden = digits[1:-4] if international and len(digits) >= 7 else []
    masked = "".join("*" if index in hidden else character for index, character in enumerate(text))
    return masked if len(masked) <= 80 else f"{masked[:79]}…"


def show_callee(callee: object) -> str:
    """Return what a log may say of whom to call."""
    return redact_phone_number(callee) if isinstance(callee, str) else show_address(callee)


def refuse_what_is_no_number(text: str, compact: str, shown: str) -> None:
    """Refuse what the library would make a number of by leaving something out, or by taking too much for digits."""
    digits = compact.removeprefix("+")
    if not digits:
        raise ValueError(f"{shown} has no digits: give a number such as +15551234567")
    if _EXPONENT.fullmatch(text):
        raise ValueError(f"{shown} has an exponent, as a number that was a float: {AS_TEXT}")
    if any(character.isalpha() for character in digits):
        hint = " (an extension goes in send_digits)" if _EXTENSION_WORD.search(digits) else ""
        raise ValueError(f"{shown} has letters: write digits only, e.g. +15551234567{hint}")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(
            f"{shown} has characters other than + and the digits 0 to 9: "
            "type it again in plain digits, e.g. +15551234567"
        )
    if _is_written_as_float(text):
        raise ValueError(f"{shown} {HAS_DECIMALS}")
    if sum(sum(map(str.isdigit, part)) >= SHORTEST for part in re.split(r"[\s/]+", text)) > 1:
        raise ValueError(
            f"{shown} is more than one number: write them as a list, or with commas between them"
        )
    if _EXTENSION.search(text):
        raise ValueError(f"{shown} ends with an extension: leave it out, it goes in send_digits")
    if _is_emergency(compact):
        raise ValueError(f"{shown} is an emergency number: those are never called from here, remove it")


def at_point(text: str) -> tuple[str, str]:
    """Return the digits before and after the last point that stands in a text; none where nothing follows it."""
    kept = "".join("." if character in _POINTS else without_separators(character) for character in text)
    whole, _, decimals = kept.rpartition(".")
    return whole, decimals


def _is_written_as_float(text: str) -> bool:
    """Say whether it is a float by its looks: many digits in a row before its point, or zeros alone after it."""
    whole, decimals = at_point(text)
    if not whole or not decimals or "." in whole:
        # A last group of one zero is likelier what a float has left behind a number with points.
        return decimals == "0" and bool(whole)
    is_zero = not decimals.strip("0")
    return is_zero or bool(re.match(rf"\W*[0-9]{{{SHORTEST},}}\W*[{_POINTS}]", text))


def refuse_what_is_not_international(digits: str, shown: str) -> None:
    """Refuse the digits after a + that begin or end where no international number does.

    :raises ValueError: says how to fix it
    """
    if digits.startswith("00"):
        raise ValueError(f"{shown} {STARTS_WITH_00}")
    if len(digits) < SHORTEST:
        raise ValueError(f"{shown} {IS_SHORT}")
    if digits.startswith("0"):
        raise ValueError(f"{shown} has no country code, none starts with 0: e.g. +15551234567")
    if len(digits) > _LONGEST:
        raise ValueError(
            f"{shown} has {len(digits)} digits and E.164 allows {_LONGEST}: is it two numbers in one?"
        )


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
