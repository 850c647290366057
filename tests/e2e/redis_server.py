"""A Redis server to throw away: Debian's, on a free port of 127.0.0.1, which keeps nothing."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path
from types import TracebackType

import redis

from tests.support.debian import installed, one_installation_at_a_time
from tests.support.waiting import free_ports, wait_until

START_LIMIT_S = 60.0


class RedisServer:
    """A server; a context manager.

    :raises CannotInstallError: there is none here, and none can be installed
    """

    def __init__(self) -> None:
        self._password = secrets.token_hex(16)
        (self._port,) = free_ports(1)
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What Celery connects to."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def __enter__(self) -> RedisServer:
        with one_installation_at_a_time():
            binary = installed("redis-server", _find)
        settings = (
            f'bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\nsave ""\nappendonly no\n'
        )
        # Settings by standard input: the arguments of a process can be read by anybody.
        self._server = subprocess.Popen([binary, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert self._server.stdin is not None
        self._server.stdin.write(settings.encode())
        self._server.stdin.close()
        wait_until(self._is_ready, "Redis to accept connections", START_LIMIT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def _is_ready(self) -> bool:
        if self._server is None or self._server.poll() is not None:
            raise RuntimeError("Redis ended early")
        try:
            return bool(redis.Redis.from_url(self.url).ping())
        except redis.ConnectionError:
            return False


def _find() -> Path | None:
    found = shutil.which("redis-server")
    return Path(found) if found else None
