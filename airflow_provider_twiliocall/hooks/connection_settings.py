"""The settings in an Airflow connection of type ``twilio``, checked, with errors that name the field to fix."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.exceptions import TwilioConnectionError
from airflow_provider_twiliocall.hooks.connection_form import CONN_FIELDS
from airflow_provider_twiliocall.hooks.connection_host import read_base_url
from airflow_provider_twiliocall.hooks.webhook_settings import WebhookSettings, read_webhook
from airflow_provider_twiliocall.twilio.client import DEFAULT_CONNECT_TIMEOUT_S, DEFAULT_READ_TIMEOUT_S
from airflow_provider_twiliocall.twilio.number_reading import country_code

if TYPE_CHECKING:
    from airflow.sdk import Connection

_LOGIN = re.compile(r"(AC|SK)[0-9a-fA-F]{32}")
_API_KEY = re.compile(r"SK[0-9a-fA-F]{32}")
_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class ConnectionSettings:
    """Everything a client of Twilio needs from a connection.

    :param read_timeout: seconds to wait for an answer
    :param connect_timeout: seconds to wait for a connection
    :param default_from: the caller ID for calls that name none
    :param default_country: of numbers without country code, by ISO 3166; None: such numbers are refused
    :param webhook: where Twilio reaches this Airflow; None where it does not
    :param warnings: likely mistakes, each with its fix, worded to follow "The connection"
    """

    login: str
    password: str = field(repr=False)
    account_sid: str
    base_url: str
    read_timeout: float
    connect_timeout: float
    default_from: str | None
    default_country: str | None = None
    webhook: WebhookSettings | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, connection: Connection) -> ConnectionSettings:
        """Read a connection.

        :raises TwilioConnectionError: naming every field that is wrong
        """
        problems: list[str] = []
        warnings: list[str] = []
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
                f"nor an API key SID (SK and 32 of them){_hint_for_login(login)}"
            )
        password = _password(connection.password, problems, warnings)
        account_sid = _account_sid(given, login, connection, problems)
        warnings += [_about_unknown(name) for name in _unknown(extra)]
        read_timeout = _seconds(given.get("http_timeout", DEFAULT_READ_TIMEOUT_S), problems)
        base_url = read_base_url(connection.host, connection.port, given, problems, warnings)
        country = _default_country(given.get("default_country"), problems)
        webhook = read_webhook(given, login=login, password=password, warnings=warnings)
        if problems:
            listed = "\n".join(f"- {problem}" for problem in problems)
            raise TwilioConnectionError(
                f"The connection {connection.conn_id!r} cannot be used. Fix it under Admin > Connections, or "
                f"where it is defined:\n{listed}"
            )
        return cls(
            login=login,
            password=password,
            account_sid=account_sid,
            base_url=base_url,
            read_timeout=read_timeout,
            connect_timeout=min(DEFAULT_CONNECT_TIMEOUT_S, read_timeout),
            default_from=str(given["from"]).strip() if "from" in given else None,
            default_country=country,
            webhook=webhook,
            warnings=tuple(warnings),
        )

    @staticmethod
    def unknown_extras(connection: Connection) -> list[str]:
        """Return the unknown names in the connection's extra; perhaps a misspelling."""
        return _unknown(_extra(connection))


def _extra(connection: Connection) -> dict[str, Any]:
    # Not `extra_dejson`: it turns a broken extra into an empty dict, and only logs that.
    extra = json.loads(connection.extra or "{}")
    if not isinstance(extra, dict):
        raise ValueError(f"it is a {type(extra).__name__}")
    return extra


def _password(given: str | None, problems: list[str], warnings: list[str]) -> str:
    password = (given or "").strip()
    if not password:
        problems.append("password is empty: give the auth token, or the secret of the API key")
    elif _LOGIN.fullmatch(password):
        problems.append(
            "password is an SID, which belongs in the login: give the auth token, or the secret of the API key"
        )
    elif set(password) <= {"*", "•"}:
        problems.append(
            "password is a row of stars, which Airflow shows for a hidden one: give the auth token itself"
        )
    elif password[0] == password[-1] and password[0] in "'\"":
        problems.append("password has quotes around it: leave them out")
    elif password != given:
        warnings.append(
            "has a blank or a line end before or after its password, which is left out: store the password without"
        )
    return password


def _hint_for_login(login: str) -> str:
    if not login:
        return ", it is empty: give one of them"
    if _LOGIN.fullmatch(login[:2].upper() + login[2:]):
        return ": write its first two letters in capitals"
    if re.fullmatch(r"[0-9a-fA-F]{32}", login):
        return ": it looks like the auth token, which is the password"
    if _LOGIN.fullmatch(login.strip("'\"")):
        return ": leave the quotes out"
    if "@" in login:
        return ": give one of them instead of the e-mail address for the Twilio console"
    if re.fullmatch(r"[A-Z]{2}[0-9a-fA-F]{32}", login):
        return f": an SID that begins with {login[:2]} belongs to something else"
    return ""


def _account_sid(given: dict[str, Any], login: str, connection: Connection, problems: list[str]) -> str:
    account_sid = str(given.get("account_sid", "")).strip()
    if not account_sid:
        if login.startswith("SK"):
            elsewhere = _where_the_account_is(given, connection)
            problems.append(
                "the login is an API key: give the extra account_sid (AC…) as well"
                + (f"; {elsewhere} has one" if elsewhere else "")
            )
        return login
    if _API_KEY.fullmatch(account_sid):
        problems.append(
            f"extra account_sid={_shortened(account_sid)} is not AC and 32 hexadecimal digits, but an API key: that is "
            "the login, and its secret is the password"
        )
    elif not _ACCOUNT_SID.fullmatch(account_sid):
        problems.append(f"extra account_sid={_shortened(account_sid)} is not AC and 32 hexadecimal digits")
    return account_sid


def _where_the_account_is(given: dict[str, Any], connection: Connection) -> str | None:
    fields = {"host": connection.host, "schema": connection.schema, "password": connection.password}
    fields |= {f"the extra {name}": value for name, value in given.items()}
    return next((name for name, value in fields.items() if _ACCOUNT_SID.fullmatch(str(value).strip())), None)


def _unknown(extra: dict[str, Any]) -> list[str]:
    return sorted(set(extra) - set(CONN_FIELDS))


def _about_unknown(name: str) -> str:
    from difflib import get_close_matches

    # Airflow's older forms wrote names with this prefix.
    plain = re.sub(
        r"\W+", "_", re.sub("^extra__[a-z]+__", "", re.sub("(?<=[a-z])(?=[A-Z])", "_", name))
    ).lower()
    near = get_close_matches(plain, CONN_FIELDS, n=1, cutoff=0.7)
    return f"has an unknown extra {name!r}" + (f": did you mean {near[0]!r}?" if near else "")


def _seconds(value: object, problems: list[str]) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        problems.append(f"extra http_timeout={value!r} is not a number of seconds above 0")
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
