"""Where Twilio reaches this Airflow, if it does: the extras ``webhook_url`` and ``auth_token`` of a connection."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_twiliocall.twilio.url import check_url

MOUNTED_AT = "/twilio-call"
"""Where the receiver is mounted in Airflow's API server."""


@dataclass(frozen=True)
class WebhookSettings:
    """The public address of the receiver, and the token with which Twilio signs what it sends there.

    :param url: with the path under which the API server is reached, without a slash at its end
    """

    url: str
    auth_token: str = field(repr=False)

    @property
    def receiver_url(self) -> str:
        """The address of the receiver itself."""
        return self.url + MOUNTED_AT


def read_webhook(
    given: Mapping[str, Any], *, login: str, password: str, warnings: list[str]
) -> WebhookSettings | None:
    """Read the extras; None where there is no receiver.

    A wrong one is a warning, not an error: calls without keys need no receiver, and an alert has to ring.

    :param given: the connection's extras that are not empty
    :param warnings: takes what is wrong, worded to follow "The connection"
    """
    if "webhook_url" not in given:
        return None
    url = str(given["webhook_url"]).strip().rstrip("/")
    auth_token = str(given.get("auth_token", "")).strip() or (password if login.startswith("AC") else "")
    problem = _problem_with(url)
    if not problem and not auth_token:
        problem = (
            "is of no use with an API key alone, which signs nothing: give the account's auth token as the extra "
            "auth_token too"
        )
    if problem:
        warnings.append(f"has an extra webhook_url that {problem}. Until then Twilio is asked how calls go")
        return None
    return WebhookSettings(url, auth_token)


def _problem_with(url: str) -> str | None:
    try:
        check_url(url)
    except ValueError as error:
        return f"cannot be used: webhook_url={error}"
    parts = urlsplit(url)
    if parts.query or parts.fragment or parts.username is not None:
        return "has a query, a fragment or a login in it: give the address alone"
    if parts.path.endswith(MOUNTED_AT):
        return f"ends with {MOUNTED_AT}: leave that out, it is added"
    if parts.scheme.lower() == "http" and not _is_loopback(parts.hostname or ""):
        return "is http, so that anybody on the way can read and change what is sent: give an https address"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
