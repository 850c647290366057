"""A server that answers as a script says, byte by byte: resets, silence and answers cut short are real ones."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

# How long a client may take from its connection to its first word.
REQUEST_LIMIT_S = 10.0


@dataclass(frozen=True)
class Request:
    """A request as it arrived. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: str
    connection: int
    received_at: float


@dataclass(frozen=True)
class Answer:
    """What happens on a connection once a request is there (or, if ``unread``, before it is read)."""

    act: Callable[[socket.socket, threading.Event], None]
    unread: bool = False
    closes: bool = True


def answer(status: int, body: Any = "", headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with a status and a body (as JSON unless it is text), and keep the connection."""
    text = body if isinstance(body, str) else json.dumps(body)
    kind = "text/html" if isinstance(body, str) else "application/json"
    return _bytes(status, text.encode(), {"Content-Type": kind, **(headers or {})}, closes=False)


def cut_short(status: int, body: Any) -> Answer:
    """Promise the whole body, send half of it and close."""
    whole = json.dumps(body).encode()
    return _bytes(status, whole[: len(whole) // 2], {"Content-Length": str(len(whole))}, closes=True)


def _bytes(status: int, body: bytes, headers: Mapping[str, str], *, closes: bool) -> Answer:
    lines = {"Content-Length": str(len(body)), **headers}
    head = f"HTTP/1.1 {status} Status\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return Answer(lambda wire, stopped: wire.sendall(head.encode() + b"\r\n" + body), closes=closes)


def _reset(wire: socket.socket, stopped: threading.Event) -> None:
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _reset_unread(wire: socket.socket, stopped: threading.Event) -> None:
    # Any sooner, the reset might strike a client that is still connecting, and that is another fault.
    select.select([wire], [], [], REQUEST_LIMIT_S)
    _reset(wire, stopped)


RESET_BEFORE_READING = Answer(_reset_unread, unread=True)
RESET_AFTER_READING = Answer(_reset)
CLOSE_AFTER_READING = Answer(lambda wire, stopped: None)
SILENCE = Answer(lambda wire, stopped: stopped.wait())  # type: ignore[arg-type,return-value]


class ScriptedServer:
    """Answers each request by the next line of its script; the last line stays. A context manager.

    :param script: at least one answer
    :param tls: a context with a certificate, for https
    """

    def __init__(self, *script: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._script = list(script)
        self._tls = tls
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.requests: list[Request] = []
        self.connections = 0

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> ScriptedServer:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        for wire in (self._listener, *self._open):
            _shut(wire)
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(wire)
            self.connections += 1
            self._start(self._serve, wire, self.connections)

    def _serve(self, wire: socket.socket, connection: int) -> None:
        try:
            if self._tls:
                wire = self._tls.wrap_socket(wire, server_side=True)
                self._open.append(wire)
            self._converse(wire, connection)
        except OSError:
            pass  # The other side has gone.
        finally:
            wire.close()

    def _converse(self, wire: socket.socket, connection: int) -> None:
        with wire.makefile("rb") as incoming:
            while True:
                if self._script[0].unread:
                    self._next().act(wire, self._stopped)
                    return
                request = _read(incoming, connection)
                if request is None:
                    return
                self.requests.append(request)
                now = self._next()
                now.act(wire, self._stopped)
                if now.closes:
                    return

    def _next(self) -> Answer:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]


def _read(incoming: Any, connection: int) -> Request | None:
    first = incoming.readline().decode().split()
    if not first:
        return None
    headers: dict[str, str] = {}
    while line := incoming.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = incoming.read(int(headers.get("content-length", "0"))).decode()
    return Request(first[0], first[1], headers, body, connection, time.monotonic())


def _shut(wire: socket.socket) -> None:
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    wire.close()
