"""URLs that Twilio fetches: absolute, http or https, with a host name that Twilio accepts."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from airflow_provider_twiliocall.twilio.param_problems import show

# Blanks, control characters, lone surrogates, and characters that XML cannot carry.
_NOT_IN_A_URL = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def check_url(value: str) -> None:
    """Refuse what Twilio could not fetch.

    :raises ValueError: the message starts with the value (a password in it is hidden), so that it can follow
        the name of the argument and an equals sign.
    """
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{show(value)} is not a URL ({error})") from None
    if parts.scheme.lower() not in ("http", "https") or not host or _NOT_IN_A_URL.search(value):
        raise ValueError(
            f"{show(value)} is not an absolute http or https URL: write it whole, e.g. https://example.com/calls"
        )
    if "_" in host:
        raise ValueError(
            f"{show(value)} has an underscore in its host name, which Twilio refuses: use a name without one"
        )
