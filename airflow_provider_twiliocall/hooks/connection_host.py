"""The address in a ``twilio`` connection: its host and port, or its region and edge."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

from airflow_provider_twiliocall.twilio.regions import (
    EDGE_OF_REGION,
    api_url,
    check_host,
    check_region_and_edge,
)

_API_VERSION = "2010-04-01"
_TWILIO = "twilio.com"


def read_base_url(
    host: str | None, port: int | None, extra: dict[str, Any], problems: list[str], warnings: list[str]
) -> str:
    """Return where Twilio's API is: the host if there is one, or what region and edge say.

    :param problems: gets what makes the connection unusable, each with its fix
    :param warnings: gets likely mistakes
    """
    host = (host or "").strip().rstrip("/")
    region, edge = (str(extra.get(name) or "").strip().lower() for name in ("region", "edge"))
    if not host:
        if port:
            warnings.append(f"has a port={port} without effect, since host is empty")
        return _url_of(region, edge, problems)
    if region or edge:
        named = " and ".join(name for name in ("region", "edge") if extra.get(name))
        warnings.append(f"has an extra {named} without effect, since host is set: leave one of them out")
    return _url_of_host(host, port, problems, warnings)


def _url_of(region: str, edge: str, problems: list[str]) -> str:
    wrong = check_region_and_edge(region, edge)
    if wrong:
        problems.extend(f"extra {problem}" for problem in wrong)
        return ""
    if region == "us1" and not edge:
        # The default, and the one region that still has an address of its own.
        region = ""
    try:
        return api_url(region=region, edge=edge)
    except ValueError as error:
        problems.append(f"extra {error}. Give the extra edge too, e.g. {EDGE_OF_REGION[region]} for {region}")
        return ""


def _url_of_host(host: str, port: int | None, problems: list[str], warnings: list[str]) -> str:
    parts = _parts_of(host)
    if parts is None:
        problems.append(f"host={_shown(host)} is not a URL: {_fix_for(host)}")
        return ""
    if problem := _problem_with(parts):
        problems.append(f"host={_shown(host)} {problem}")
        return ""
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        warnings.append(
            f"sends its password in clear over the network to host={_shown(host)}: write https://, unless that network "
            "is your own"
        )
    if port and (parts.path or parts.port not in (None, port)):
        warnings.append(f"has a port={port} without effect on host={_shown(host)}: write it into the host")
    return f"{host}:{port}" if port and parts.port is None and not parts.path else host


def _parts_of(host: str) -> SplitResult | None:
    try:
        parts = urlsplit(host)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None


def _fix_for(host: str) -> str:
    instead = "http://127.0.0.1:8010"
    if "://" not in host and _parts_of(f"http://{host}") and " " not in host and "@" not in host:
        name = urlsplit(f"http://{host}").hostname or ""
        if name.endswith(_TWILIO):
            return f"leave it empty for Twilio, or give one with its scheme, e.g. https://{host}"
        if "." in name or ":" in host or name == "localhost":
            instead = f"{'http' if _is_loopback(name) else 'https'}://{host}"
    return f"leave it empty for Twilio, or give one with its scheme, e.g. {instead}"


def _problem_with(parts: SplitResult) -> str | None:
    host = parts.hostname or ""
    if parts.username or parts.password:
        return "has a login in it: put it into the fields login and password"
    if parts.query or parts.fragment:
        return "has a query or a fragment: leave out what begins with ? or #"
    is_twilio = host == _TWILIO or host.endswith(f".{_TWILIO}")
    if is_twilio and not host.startswith("api."):
        return "is not where Twilio's API is: leave it empty"
    if is_twilio and (problem := check_host(host)):
        return problem
    if is_twilio and parts.scheme == "http":
        return "would send the password in clear: leave it empty for Twilio, or write https://"
    if is_twilio and parts.path:
        return f"has a path, which is added automatically: write https://{parts.netloc}, or leave it empty"
    if _API_VERSION in parts.path:
        path = parts.path.partition(f"/{_API_VERSION}")[0]
        return f"has Twilio's own path in it, which is added automatically: write {parts.scheme}://{parts.netloc}{path}"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(host: str) -> str:
    """Show a host, but not a password in it, nor a token that was put into the wrong field."""
    if re.fullmatch(r"[0-9a-zA-Z]{32,}", host):
        return f"{host[:4]!r}… ({len(host)} characters)"
    before, at, after = host.rpartition("@")
    return repr(f"{before.partition('://')[0]}://…@{after}" if at else host)
