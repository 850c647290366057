"""The ground every test stands on: an Airflow home that is thrown away, no network beyond this machine."""

from __future__ import annotations

import atexit
import ipaddress
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

# Airflow reads its environment once, when it is first imported.
if "airflow" in sys.modules:
    raise pytest.UsageError("airflow was imported before tests/conftest.py could give it a home of its own")

_FROM_A_SHELL = ("AIRFLOW_", "_AIRFLOW", "TWILIO_")
for _name in [name for name in os.environ if name.startswith(_FROM_A_SHELL)]:
    del os.environ[_name]

_AIRFLOW_HOME = tempfile.mkdtemp(prefix="twiliocall-tests-")
atexit.register(shutil.rmtree, _AIRFLOW_HOME, ignore_errors=True)
os.environ |= {
    "AIRFLOW_HOME": _AIRFLOW_HOME,
    "AIRFLOW__CORE__DAGS_FOLDER": os.path.join(_AIRFLOW_HOME, "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def pytest_unconfigure() -> None:
    """Remove the home where atexit does not come to it, in pytest-xdist's workers."""
    shutil.rmtree(_AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def masks_of_its_own() -> Iterator[None]:
    """What one test takes for a secret is none to the next one, be it no more than ``[1, 2]``."""
    yield
    if masks := sys.modules.get("airflow.sdk._shared.secrets_masker"):
        masks.reset_secrets_masker()


class NetworkForbidden(Exception):
    """A test reached for another machine. Not an OSError, so that no code under test takes it for a transient error."""


@pytest.fixture(autouse=True)
def loopback_only(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test that connects to, or looks up, anything but this machine (see ``allow_network``).

    Names under ``.invalid`` do not resolve, as everywhere else (RFC 2606), but without asking anybody.
    """
    if request.node.get_closest_marker("allow_network"):
        yield
        return

    reached_for: list[str] = []

    def guard(host: object) -> None:
        if not _is_this_machine(host):
            reached_for.append(str(host))
            raise NetworkForbidden(f"tests stay on this machine, but this one reached for {host!r}")

    def guarded(name: str) -> Any:
        original = getattr(socket.socket, name)

        def method(self: socket.socket, *args: Any) -> Any:
            address = args[-1]
            if self.family in (socket.AF_INET, socket.AF_INET6):
                guard(address[0])
            return original(self, *args)

        return method

    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if _text(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        guard(host)
        return look_up(host, *args, **kwargs)

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, guarded(name))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    yield

    if reached_for:
        pytest.fail(f"reached for {', '.join(sorted(set(reached_for)))}: tests stay on this machine")


def _is_this_machine(host: object) -> bool:
    text = _text(host)
    if text in ("", "localhost") or text.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _text(host: object) -> str:
    if host is None:
        return ""
    return host.decode() if isinstance(host, bytes) else str(host)
