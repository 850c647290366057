"""Phone numbers brought to E.164 before they are dialled, as ``phonenumbers`` reads them.

The library is imported inside the functions: it is for run time alone.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.twilio.phone_number import (
    AS_TEXT,
    E164,
    HAS_DECIMALS,
    IS_SHORT,
    SHORTEST,
    STARTS_WITH_00,
    at_point,
    refuse_what_is_no_number,
    refuse_what_is_not_international,
    show_address,
    without_separators,
)

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber
    from phonenumbers.phonemetadata import PhoneMetadata

_LOST_PLUS = "a number has lost its +, as YAML reads it without quotes: put quotes around it"


def normalize_phone_number(value: object, *, default_country: str | None = None) -> str:
    """Bring a phone number as people write it to E.164: ``+33 (0)6 12-34 56 78`` becomes ``+33612345678``.

    Separators and the invisible marks that come along when a number is copied are dropped. Then ``phonenumbers``
    reads it: it knows trunk zeros, international prefixes and the lengths of every country. A number that is not
    assigned to anybody passes, as Twilio's test numbers do.

    :param default_country: of national numbers (``06 12 34 56 78``), as ISO 3166 has it, such as ``FR``. Without one
        a number needs its +. An integer has lost its +: it is read only with a default country, and only where it
        can be one number and no other
    :raises ValueError: the value is not a number that can be dialled, or could be two of them; the message shows the
        value (cut if it holds a whole number) and says how to fix it
    """
    country = None if default_country is None else country_code(default_country)
    if isinstance(value, int) and not isinstance(value, bool):
        return _number_of_integer(value, country)
    if not isinstance(value, str):
        raise ValueError(f"{show_address(value)} is not text: {AS_TEXT}")
    if E164.fullmatch(value) and _reading(value, None) == value:
        return value
    compact = without_separators(value)
    shown = show_address(value, is_national=country is not None)
    refuse_what_is_no_number(value.strip(), compact, shown)
    _refuse_a_number_with_decimals(value, country, shown)
    if compact.startswith("+"):
        refuse_what_is_not_international(compact.removeprefix("+"), shown)
        return _read(compact, None, shown)
    if country is not None:
        return _read_national(compact, country, shown)
    if compact.startswith("00"):
        raise ValueError(f"{shown} {STARTS_WITH_00}")
    if len(compact) < SHORTEST:
        raise ValueError(f"{shown} {IS_SHORT}")
    raise ValueError(
        f"{shown} is not E.164: start with + and the country code, e.g. +15551234567, or set the extra "
        "default_country of the connection"
    )


def country_code(value: object) -> str:
    """Return a country code of ISO 3166 in upper case.

    :raises ValueError: there is no such country, or none with phone numbers of its own
    """
    from phonenumbers import SUPPORTED_REGIONS

    code = value.strip().upper() if isinstance(value, str) else ""
    if code not in SUPPORTED_REGIONS:
        fix = "give GB" if code == "UK" else "give two letters, such as US, FR or GB"
        raise ValueError(f"{value!r:.40} is not a country code of ISO 3166: {fix}")
    return code


def _refuse_a_number_with_decimals(text: str, country: str | None, shown: str) -> None:
    """Refuse a single point after what is a whole number already: its decimals would be dialled."""
    whole, decimals = at_point(text)
    digits = whole.removeprefix("+")
    if not decimals or "." in whole or len(digits) < SHORTEST:
        return
    if _reading(f"+{digits}", None) or (digits == whole and country and _reading(digits, country)):
        raise ValueError(f"{shown} {HAS_DECIMALS}")


def _read_national(compact: str, country: str, shown: str) -> str:
    """Read a number without +, as it is dialled in its country: it may be one of another country too.

    :raises ValueError: there is none, or there is doubt: it may well be an international number that lacks its +
    """
    try:
        number = _read(compact, country, shown)
    except ValueError:
        if compact.startswith("00") and _reading(f"+{compact[2:]}", None):
            raise ValueError(f"{shown} {STARTS_WITH_00}") from None
        raise
    if len(compact) < SHORTEST and not _is_assigned(number):
        raise ValueError(f"{shown} {IS_SHORT}")
    other = _reading(f"+{compact}", None)
    if other in (None, number) or not _is_assigned(other):
        return number
    if _is_assigned(number) and _is_written_nationally(compact, country):
        return number
    raise ValueError(
        f"{shown} may be a number of {country}, or one of another country that lacks its +: start with + and the "
        "country code, e.g. +15551234567"
    )


def _number_of_integer(value: int, country: str | None) -> str:
    shown = show_address(value)
    if country is None:
        raise ValueError(
            f"{shown} is not text: {AS_TEXT} ({_LOST_PLUS}, or set the extra default_country of the connection)"
        )
    digits = str(value)
    refuse_what_is_no_number(digits, digits, shown)
    if len(digits) < SHORTEST:
        raise ValueError(f"{shown} {IS_SHORT}")
    found = {number for number in (_reading(f"+{digits}", None), _reading(digits, country)) if number}
    # YAML takes a number with a leading zero for an octal one, where no digit is above 7.
    before_yaml = _reading(f"0{value:o}", country)
    if len(found) == 1 and before_yaml in (None, *found):
        return found.pop()
    what = "may be more than one number" if found else "is not a number that can be dialled"
    raise ValueError(f"{shown} {what}, with a + or in {country}: {AS_TEXT} ({_LOST_PLUS})")


# A call's numbers are looked at several times before it is placed: by each check, and by the hook.
@lru_cache(maxsize=64)
def _reading(text: str, country: str | None) -> str | None:
    """Return the number that a text can be, none if it cannot."""
    try:
        return _read(text, country, "")
    except ValueError:
        return None


def _read(text: str, country: str | None, shown: str) -> str:
    """Read digits, with a + or as they are dialled in a country.

    :raises ValueError: the library finds no number in them, or none of a possible length
    """
    from phonenumbers import NumberParseException, ValidationResult, is_possible_number_with_reason, parse

    try:
        number = parse(text, country)
    except NumberParseException as error:
        what = "has no country code that exists" if text.startswith("+") else "is not a number"
        if error.error_type != NumberParseException.INVALID_COUNTRY_CODE:
            what = "has too few or too many digits for a phone number"
        raise ValueError(f"{shown} {what}: check its digits, e.g. +15551234567") from None
    length = is_possible_number_with_reason(number)
    found = _as_e164(number)
    if length != ValidationResult.IS_POSSIBLE or not E164.fullmatch(found):
        raise ValueError(
            f"{shown} {_wrong_length(length, f'a number with the country code +{number.country_code}')}"
        )
    # With two trunk zeros, say.
    if found != text and _as_e164(parse(found, None)) != found:
        raise ValueError(f"{shown} has one zero too many after the country code: leave it out")
    _refuse_a_trunk_prefix(number, text, country, shown)
    return found


def _refuse_a_trunk_prefix(number: PhoneNumber, text: str, country: str | None, shown: str) -> None:
    """Refuse a number that lacks a digit, though its length is possible, where its trunk prefix shows it.

    The library keeps a trunk prefix (``0`` in France, ``1`` in North America) as a digit where the rest is too short
    without it, and drops it where the rest has the length of some other number.
    """
    from phonenumbers import is_valid_number, is_valid_number_for_region, national_significant_number

    code, digits = number.country_code or 0, national_significant_number(number)
    main = _plans_of(code)[0]
    trunk = re.match(main.national_prefix_for_parsing or "", digits)
    kept = trunk[0][:1] if trunk else ""
    of_region = None if text.startswith("+") else country

    def exists() -> bool:
        return is_valid_number_for_region(number, of_region) if of_region else is_valid_number(number)

    # In Italy, say, there is no trunk prefix, and numbers do begin with 0.
    if (kept and not exists()) or (digits.startswith("0") and not _fits_its_plan(code, digits)):
        raise ValueError(
            f"{shown} is too short for a number with the country code +{code}, its {kept or 0} not counted: write all "
            f"the other digits, and no {kept or 0} before them"
        )
    dropped = main.national_prefix
    is_dropped = bool(dropped) and text in (f"+{code}{dropped}{digits}", f"{dropped}{digits}")
    if is_dropped and not _fits_its_plan(code, digits):
        raise ValueError(
            f"{shown} has too few or too many digits for what it begins with: check them, or write +{code} without "
            f"the {dropped} after it if they are right"
        )


def _fits_its_plan(code: int, digits: str) -> bool:
    """Say whether numbers that begin so, and are as long, can exist in a country with this code."""
    descriptions = (plan.general_desc for plan in _plans_of(code))
    patterns = (each.national_number_pattern for each in descriptions if each is not None)
    return any(re.fullmatch(pattern, digits) for pattern in patterns if pattern is not None)


@cache
def _plans_of(code: int) -> tuple[PhoneMetadata, ...]:
    """Return what is known of the numbers of each country with this code, beginning with the main one."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
    from phonenumbers.phonemetadata import PhoneMetadata

    plans = (
        PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        for region in COUNTRY_CODE_TO_REGION_CODE[code]
    )
    return tuple(plan for plan in plans if plan is not None)


def _wrong_length(length: int, kind: str) -> str:
    from phonenumbers import ValidationResult

    wrong = {
        ValidationResult.TOO_SHORT: f"is too short for {kind}: write all its digits",
        ValidationResult.TOO_LONG: f"is too long for {kind}: is it two numbers in one, or with an extension?",
        ValidationResult.IS_POSSIBLE_LOCAL_ONLY: f"is too short for {kind}: write its area code too",
    }
    return wrong.get(length, f"has a length that is wrong for {kind}: check its digits")


def _as_e164(number: PhoneNumber) -> str:
    from phonenumbers import PhoneNumberFormat, format_number

    return format_number(number, PhoneNumberFormat.E164)


def _is_assigned(number: str) -> bool:
    from phonenumbers import is_valid_number, parse

    return is_valid_number(parse(number, None))


def _is_written_nationally(compact: str, country: str) -> bool:
    """Say whether a number shows that it is a national one, as far as its country has a way of showing it."""
    from phonenumbers import country_code_for_region, ndd_prefix_for_region

    prefix = ndd_prefix_for_region(country, True)
    # In North America the 1 is the country code as well, and most people leave it out.
    return not prefix or prefix == str(country_code_for_region(country)) or compact.startswith(prefix)
