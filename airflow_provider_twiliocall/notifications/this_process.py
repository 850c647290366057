"""What the alerts of one process share: threads, clients of Twilio, and the time for which they may keep it waiting.

Airflow runs the callbacks of a DAG file one after the other, in a process that it ends after 50 s; callbacks that have
not run by then are lost. No alert knows whether others come after it. So the process waits for its first alerts only.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.notifications.threads import DaemonThreads

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.twilio.client import TwilioClient

# One alert takes some five of them: up to two before it looks, three until it has looked again. All the time that the
# first alerts take is counted, not their waiting alone, but for the time until they have a connection.
WAITING_S = 6.0

# In all, how long the alerts of one process look again for a connection that Airflow does not find.
PATIENCE_S = 10.0
# How long a connection is used that Airflow has given before and does not find now.
LONGEST_KEPT_S = 3600.0

# In the triggerer. Each has a second thread for the request that it waits for.
MOST_ALERTS_AT_ONCE = 32

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 9.5
# Networks drop idle connections, and a request on such a one gets no answer.
LONGEST_IDLE_S = 20.0


class WaitingTime:
    """How long a process may still be kept waiting; alerts that wait at the same moment spend it once.

    :param seconds: in all
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._lock = threading.Lock()
        self._waiting = 0
        self._since = 0.0

    @property
    def left(self) -> float:
        """The seconds that are left."""
        with self._lock:
            self._settle()
            return self._left

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Count the time until the end of the block."""
        with self._lock:
            self._settle()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._settle()
                self._waiting -= 1

    def _settle(self) -> None:
        now = clock.monotonic()
        if self._waiting:
            self._left = max(0.0, self._left - (now - self._since))
        self._since = now


class SharedClients:
    """One client for each connection, since a new one costs 40 ms and a TLS handshake."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[Hashable, tuple[TwilioClient, float]] = {}

    def client(self, hook: TwilioCallHook) -> TwilioClient:
        """Return the client of a hook's connection, with the time limits of alerts. Threads may share it.

        :raises TwilioConnectionError: where the connection cannot be used
        """
        key = hook.settings, hook.account_sid
        now = clock.monotonic()
        with self._lock:
            kept = {name: each for name, each in self._clients.items() if now - each[1] < LONGEST_IDLE_S}
            if key in kept:
                client, _ = kept[key]
            else:
                client = hook.client_with(connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S)
            self._clients = {**kept, key: (client, now)}
        return client


class FoundConnections:
    """What Airflow has given for each connection id.

    Airflow also says "not found" while its API server or a secrets backend is away.
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[Connection, float]] = {}

    def keep(self, hook: TwilioCallHook) -> None:
        """Keep the connection that the hook has fetched."""
        self._found[hook.twilio_conn_id] = hook.connection, clock.monotonic()

    def give(self, hook: TwilioCallHook) -> bool:
        """Give the hook the connection that was found before; say whether there is one."""
        connection, found_at = self._found.get(hook.twilio_conn_id, (None, 0.0))
        if connection is None or clock.monotonic() - found_at > LONGEST_KEPT_S:
            return False
        hook.connection = connection
        return True


class ThisProcess:
    """What the alerts of one process share."""

    def __init__(self) -> None:
        self.waiting_time = WaitingTime(WAITING_S)
        self.patience = WaitingTime(PATIENCE_S)
        self.connections = FoundConnections()
        self.threads = DaemonThreads(MOST_ALERTS_AT_ONCE)
        self.clients = SharedClients()


_this_process = ThisProcess()


def this_process() -> ThisProcess:
    """Return what the alerts of this process share."""
    return _this_process


def forget_this_process() -> None:
    """Share nothing any more: a forked process has neither the threads nor the connections of its parent."""
    global _this_process
    _this_process = ThisProcess()


os.register_at_fork(after_in_child=forget_this_process)
