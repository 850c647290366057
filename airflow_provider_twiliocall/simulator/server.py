"""The web server: uvicorn in a thread of this process, on 127.0.0.1 and nowhere else."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from typing import Any

import uvicorn

from airflow_provider_twiliocall.simulator.twilio_api.exchange import TRANSPORT, App

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as _HttpProtocol
except ImportError:  # pragma: no cover - httptools is an extra of uvicorn's
    from uvicorn.protocols.http.h11_impl import H11Protocol as _HttpProtocol  # type: ignore[assignment]

HOST = "127.0.0.1"
_START_LIMIT = 30.0


class PortInUseError(OSError):
    """The port is in use: choose another one, or 0 for a free one."""


class _Connection(_HttpProtocol):
    """A client's connection whose transport the application can close."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class Server:
    """Serves an application until it is stopped.

    :param port: 0 for a free one; ``port`` then says which.
    """

    def __init__(self, app: App, port: int) -> None:
        self._socket = _bind(port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=_Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="critical",
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
            backlog=2048,
        )
        self._uvicorn = _Uvicorn(config)
        self._thread = threading.Thread(target=self._serve, name="twilio-simulator", daemon=True)

    def _serve(self) -> None:
        asyncio.run(self._uvicorn.serve(sockets=[self._socket]))

    def start(self) -> None:
        """Serve, and return once connections are accepted."""
        self._thread.start()
        if not self._uvicorn.listening.wait(_START_LIMIT):
            self.stop()
            raise RuntimeError(f"the simulator did not start within {_START_LIMIT:.0f} s")

    def stop(self) -> None:
        """Close the port and wait until the thread is gone."""
        self._uvicorn.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()


def _bind(port: int) -> socket.socket:
    # asyncio sends small answers at once (TCP_NODELAY) only on sockets that name their protocol; without it
    # an answer waits up to 40 ms for the client's acknowledgement of its headers.
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((HOST, port))
        # Two sockets may bind the same port as long as neither listens; only this tells that one does.
        server.listen(2048)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(f"port {port} is in use: choose another one, or 0 for a free one") from None
        raise
    return server
