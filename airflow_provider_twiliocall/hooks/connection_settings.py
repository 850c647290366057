"""What an Airflow connection of type ``twilio`` says, checked, with errors that name the field to mend."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_twiliocall.exceptions import TwilioConnectionError
from airflow_provider_twiliocall.hooks.connection_form import CONN_FIELDS
from airflow_provider_twiliocall.twilio.client import (
    DEFAULT_CONNECT_TIMEOUT_S,
    DEFAULT_READ_TIMEOUT_S,
    api_url,
)
from airflow_provider_twiliocall.twilio.phone_number import country_code

if TYPE_CHECKING:
    from airflow.sdk import Connection

_LOGIN = re.compile(r"(AC|SK)[0-9a-fA-F]{32}")
_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class ConnectionSettings:
    """Everything a client of Twilio needs from a connection.

    :param read_timeout: seconds to wait for an answer
    :param connect_timeout: seconds to wait for a connection
    :param default_from: the caller ID for calls that name none
    :param default_country: of numbers without country code, as ISO 3166 has it; None: there is no such number
    """

    login: str
    password: str = field(repr=False)
    account_sid: str
    base_url: str
    read_timeout: float
    connect_timeout: float
    default_from: str | None
    default_country: str | None = None

    @classmethod
    def of(cls, connection: Connection) -> ConnectionSettings:
        """Read a connection.

        :raises TwilioConnectionError: naming every field that is wrong
        """
        problems: list[str] = []
        try:
            extra = _extra(connection)
        except ValueError as error:
            extra = {}
            problems.append(f"extra is not a JSON object ({error})")
        given = {name: value for name, value in extra.items() if value not in (None, "")}
        login = (connection.login or "").strip()
        if not _LOGIN.fullmatch(login):
            problems.append(
                f"login={_shortened(login)} is neither an Account SID (AC and 32 hexadecimal digits) "
                "nor an API key SID (SK and 32 of them)"
            )
        if not connection.password:
            problems.append("password is empty: give the auth token, or the secret of the API key")
        account_sid = str(given.get("account_sid", "" if login.startswith("SK") else login)).strip()
        if not account_sid:
            problems.append("the login is an API key: give the extra account_sid (AC…) as well")
        elif "account_sid" in given and not _ACCOUNT_SID.fullmatch(account_sid):
            problems.append(
                f"extra account_sid={_shortened(account_sid)} is not AC and 32 hexadecimal digits"
            )
        read_timeout = _seconds(given.get("http_timeout", DEFAULT_READ_TIMEOUT_S), problems)
        base_url = _base_url(connection, given, problems)
        country = _default_country(given.get("default_country"), problems)
        if problems:
            listed = "\n".join(f"- {problem}" for problem in problems)
            raise TwilioConnectionError(
                f"The connection {connection.conn_id!r} cannot be used. Mend it under Admin > Connections, or "
                f"where it is defined:\n{listed}"
            )
        return cls(
            login=login,
            password=connection.password or "",
            account_sid=account_sid,
            base_url=base_url,
            read_timeout=read_timeout,
            connect_timeout=min(DEFAULT_CONNECT_TIMEOUT_S, read_timeout),
            default_from=str(given["from"]).strip() if "from" in given else None,
            default_country=country,
        )

    @staticmethod
    def unknown_extras(connection: Connection) -> list[str]:
        """Return the names in the connection's extra that mean nothing here; a misspelling, perhaps."""
        return sorted(set(_extra(connection)) - set(CONN_FIELDS))


def _extra(connection: Connection) -> dict[str, Any]:
    # Not `extra_dejson`, which makes an empty dict of a broken extra and says so in the log alone.
    extra = json.loads(connection.extra or "{}")
    if not isinstance(extra, dict):
        raise ValueError(f"it is a {type(extra).__name__}")
    return extra


def _base_url(connection: Connection, extra: dict[str, Any], problems: list[str]) -> str:
    host = (connection.host or "").strip().rstrip("/")
    if host:
        return _url_of_host(host, connection.port, problems)
    try:
        return api_url(region=extra.get("region"), edge=extra.get("edge"))
    except ValueError as error:
        problems.append(f"extra {error}. Give the extra edge too, e.g. dublin for ie1")
        return ""


def _url_of_host(host: str, port: int | None, problems: list[str]) -> str:
    try:
        parts = urlsplit(host)
        if parts.scheme in ("http", "https") and parts.hostname:
            return f"{host}:{port}" if port and parts.port is None and not parts.path else host
    except ValueError:
        pass
    problems.append(
        f"host={host!r} is no URL: leave it empty for Twilio, or give one with its scheme, e.g. "
        "http://127.0.0.1:8010"
    )
    return ""


def _seconds(value: object, problems: list[str]) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        problems.append(f"extra http_timeout={value!r} is no number of seconds above 0")
    return seconds


def _default_country(value: object, problems: list[str]) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        return country_code(value)
    except ValueError as error:
        problems.append(f"extra default_country={error}")
        return None


def _shortened(value: str) -> str:
    """Show what was given, but not a token that was put into the wrong field."""
    return repr(value) if len(value) <= 6 else f"{value[:4]!r}… ({len(value)} characters)"
