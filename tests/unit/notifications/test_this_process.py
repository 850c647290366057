"""What the alerts of a process share, and how long they may keep it waiting."""

from __future__ import annotations

import math
import os
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_twiliocall import clock as package_clock
from airflow_provider_twiliocall.notifications import this_process as shared
from airflow_provider_twiliocall.notifications.this_process import (
    FoundConnections,
    SharedClients,
    WaitingTime,
    forget_this_process,
    this_process,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(package_clock, "monotonic", clock.monotonic)
    return clock


class Hook:
    """As much of a hook as is asked for."""

    def __init__(self, login: str = "AC1", account_sid: str | None = None) -> None:
        self.settings = login
        self.account_sid = account_sid

    def client_with(self, **timeouts: float) -> Any:
        return SimpleNamespace(login=self.settings)


def client_of(clients: SharedClients, hook: Any) -> Any:
    return clients.client(hook)


# Waiting


def test_time_that_was_waited_is_spent(clock: Clock) -> None:
    time = WaitingTime(6)
    assert time.left == 6
    with time.spend():
        clock.now += 2
    clock.now += 100
    assert time.left == 4


def test_alerts_that_wait_at_the_same_moment_spend_it_once(clock: Clock) -> None:
    time = WaitingTime(6)
    with time.spend(), time.spend():
        clock.now += 2
    assert time.left == 4


def test_there_is_never_less_than_none(clock: Clock) -> None:
    time = WaitingTime(6)
    with time.spend():
        clock.now += 60
    assert time.left == 0


def test_where_nobody_is_kept_waiting_it_does_not_end(clock: Clock) -> None:
    time = WaitingTime(math.inf)
    with time.spend():
        clock.now += 60
    assert time.left == math.inf


# Clients


def test_alerts_with_one_connection_have_one_client() -> None:
    clients = SharedClients()
    assert client_of(clients, Hook()) is client_of(clients, Hook())


def test_another_connection_or_account_has_another_client() -> None:
    clients = SharedClients()
    seen = [client_of(clients, hook) for hook in (Hook(), Hook("AC2"), Hook(account_sid="AC3"))]
    assert len({id(client) for client in seen}) == 3


def test_a_client_that_nobody_has_used_for_long_is_given_up(clock: Clock) -> None:
    clients = SharedClients()
    old = client_of(clients, Hook())
    clock.now += shared.LONGEST_IDLE_S - 1
    assert client_of(clients, Hook()) is old
    clock.now += shared.LONGEST_IDLE_S
    assert client_of(clients, Hook()) is not old


# Connections


def test_a_connection_that_was_found_is_given_to_a_later_hook_for_an_hour(clock: Clock) -> None:
    connections = FoundConnections()
    found: Any = SimpleNamespace(twilio_conn_id="twilio_default", connection="as it is")
    connections.keep(found)
    later: Any = SimpleNamespace(twilio_conn_id="twilio_default")
    clock.now += shared.LONGEST_KEPT_S
    assert connections.give(later)
    assert later.connection == "as it is"
    clock.now += 1
    assert not connections.give(later)


def test_another_connection_is_not_given() -> None:
    connections = FoundConnections()
    connections.keep(SimpleNamespace(twilio_conn_id="twilio_default", connection="as it is"))  # type: ignore
    assert not connections.give(SimpleNamespace(twilio_conn_id="another"))  # type: ignore


# Processes


def test_a_forked_process_shares_nothing_with_its_parent() -> None:
    forget_this_process()
    parents = this_process()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, b"other" if this_process() is not parents else b"same")
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reading, 5) == b"other"
