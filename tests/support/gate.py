"""A gate between HTTP clients and a server: it lets requests pass, holds those a test wants held, or is closed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
CHUNK = 65536
BACKLOG = 128


@dataclass(frozen=True)
class Request:
    """A request as it came to the gate. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    raw: bytes = field(repr=False)

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form, the last of each name."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))


Wanted = Callable[[Request], bool]


def creates_call_to(number: str) -> Wanted:
    """The requests that ask Twilio for a call to a number."""
    return lambda request: request.method == "POST" and request.form.get("To") == number


def anything(request: Request) -> bool:
    return True


class Hold:
    """Requests that do not get past the gate until somebody decides; a context manager that drops them at the end."""

    def __init__(self, gate: Gate, wanted: Wanted) -> None:
        self._gate = gate
        self._wanted = wanted
        self._changed = threading.Condition()
        self._held: list[Request] = []
        self._lets_pass: bool | None = None

    @property
    def held(self) -> list[Request]:
        """The requests that came so far, oldest first."""
        with self._changed:
            return list(self._held)

    def wait_for_held(self, count: int = 1, limit: float = 60.0) -> list[Request]:
        """The requests held, once there are that many.

        :raises TimeoutError: there were not within ``limit`` seconds
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._held) >= count, limit):
                raise TimeoutError(
                    f"{len(self._held)} requests came to the gate within {limit:.0f} s, not {count}"
                )
            return list(self._held)

    def release(self) -> None:
        """Let them pass, unless their client has gone, and hold no more."""
        self._decide(True)

    def drop(self) -> None:
        """Close their connections, so that the server never sees them, and hold no more."""
        self._decide(False)

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.drop()

    def _decide(self, lets_pass: bool) -> None:
        with self._changed:
            if self._lets_pass is None:
                self._lets_pass = lets_pass
            self._changed.notify_all()
        self._gate._forget(self)

    def _wants(self, request: Request) -> bool:
        return self._lets_pass is None and self._wanted(request)

    def _detain(self, request: Request) -> bool:
        """Return, once it is decided, whether the request may pass."""
        with self._changed:
            self._held.append(request)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._lets_pass is not None)
            return bool(self._lets_pass)


class Gate:
    """Forwards what comes to a port of its own to a server; a context manager.

    It is told apart by requests, not by connections, so that one on a connection kept open is held as well.

    :param target: the server's base URL
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or HOST, parts.port or 80)
        self._lock = threading.Lock()
        self._holds: list[Hold] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._door: socket.socket | None = None
        # A port that is bound and not listened to refuses connections, and nobody else gets it.
        self._reserved = _bind(0)
        self.port = int(self._reserved.getsockname()[1])

    @property
    def url(self) -> str:
        """The gate's base URL, in place of the server's."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Gate:
        self.accept()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for hold in list(self._holds):
            hold.drop()
        self.refuse()
        self._reserved.close()
        for thread in self._threads:
            thread.join(10)

    def hold(self, wanted: Wanted = anything) -> Hold:
        """Hold the wanted requests that come from now on. Of several holds the oldest takes a request."""
        hold = Hold(self, wanted)
        with self._lock:
            self._holds.append(hold)
        return hold

    def refuse(self) -> None:
        """Close the port: connections are refused, and those there were are gone."""
        with self._lock:
            door, self._door = self._door, None
            if door is not None:
                _shut(door)
                self._reserved = _bind(self.port)
            going = list(self._open)
        for wire in going:
            _shut(wire)

    def accept(self) -> None:
        """Open the port (again)."""
        with self._lock:
            if self._door is not None:
                return
            self._door = _bind(self.port)
            self._door.listen(BACKLOG)
            self._reserved.close()
            self._start(self._stand_at, self._door)

    def _forget(self, hold: Hold) -> None:
        with self._lock, suppress(ValueError):
            self._holds.remove(hold)

    def _start(self, work: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args, name="gate", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _stand_at(self, door: socket.socket) -> None:
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            with self._lock:
                if self._door is not door:
                    client.close()
                    return
                self._open.add(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        try:
            with client.makefile("rb") as incoming:
                while (request := _read(incoming)) is not None and self._may_pass(request, client):
                    if server is None:
                        server = socket.create_connection(self._target)
                        with self._lock:
                            self._open.add(server)
                            self._start(_copy, server, client)
                    server.sendall(request.raw)
        except OSError:
            pass  # One side has gone, and then the other one goes as well.
        finally:
            for wire in (client, server):
                if wire is not None:
                    _shut(wire)
            with self._lock:
                self._open -= {client, server}

    def _may_pass(self, request: Request, client: socket.socket) -> bool:
        with self._lock:
            hold = next((hold for hold in self._holds if hold._wants(request)), None)
        return hold is None or (hold._detain(request) and _is_there(client))


def _bind(port: int) -> socket.socket:
    wire = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    wire.bind((HOST, port))
    return wire


def _read(incoming: IO[bytes]) -> Request | None:
    first = incoming.readline()
    if not first.endswith(b"\r\n"):
        return None
    raw, headers = [first], {}
    while (line := incoming.readline()) not in (b"\r\n", b""):
        raw.append(line)
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if "chunked" in headers.get("transfer-encoding", ""):
        raise OSError("the gate does not read requests in chunks")
    body = incoming.read(int(headers.get("content-length", "0")))
    method, target, _ = first.decode("latin-1").split(" ", 2)
    return Request(method, target, headers, body, b"".join([*raw, line, body]))


def _copy(server: socket.socket, client: socket.socket) -> None:
    """Hand on what the server says until it has said all."""
    with suppress(OSError):
        while chunk := server.recv(CHUNK):
            client.sendall(chunk)
    _shut(client, closes=False)


def _is_there(client: socket.socket) -> bool:
    """Whether a client still waits for its answer: it has neither closed the connection nor said any more."""
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _shut(wire: socket.socket, *, closes: bool = True) -> None:
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    if closes:
        wire.close()
