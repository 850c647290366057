"""The time zones of a phone number."""

from __future__ import annotations

import re

from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number

# Twilio's test numbers and the simulator's ring nobody's phone. Area code 500 is not a place: the library would name
# 42 zones, and no window is open in all of them.
_TEST_NUMBER = re.compile(r"\+1500555[0-9]{4}")
_ZONE_OF_TEST_NUMBERS = "UTC"

_UNKNOWN_ZONE = "Etc/Unknown"


def zones_of(to: str) -> tuple[str, ...]:
    """Return the names of the time zones that belong to a number in E.164; ``UTC`` for numbers +1 500 555 xxxx.

    They belong to the area code or the country, not to the place where a mobile phone is now.

    :raises ValueError: no zone is known: the address is not a number, nobody has it, or it belongs to no country
    """
    if _TEST_NUMBER.fullmatch(to):
        return (_ZONE_OF_TEST_NUMBERS,)
    # Imported here: the table of zones is big.
    from phonenumbers import NumberParseException, parse
    from phonenumbers.timezone import time_zones_for_number

    try:
        zones = time_zones_for_number(parse(to))
    except NumberParseException:
        zones = ()
    known = tuple(zone for zone in zones if zone != _UNKNOWN_ZONE)
    if not known:
        raise ValueError(
            f"timezone='callee' cannot be used for {redact_phone_number(to)}, because no time zone is known for it: "
            "name the callee's, e.g. 'Europe/Paris'"
        )
    return known
