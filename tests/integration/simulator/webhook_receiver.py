"""A web server that Twilio's callbacks reach."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Received:
    """One callback, as it arrived."""

    method: str
    url: str
    form: dict[str, str]
    signature: str


class WebhookReceiver:
    """Keeps what arrives until a test takes it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.arrived: queue.Queue[Received] = queue.Queue()
        self._answers: dict[str, list[tuple[int, str, str]]] = {}

    def serve(self, path: str, *bodies: object, status: int = 200, kind: str = "text/xml") -> str:
        """Answer requests for a path with one body after the other, the last one ever again; return its URL."""
        self._answers[path] = [(status, kind, str(body)) for body in bodies]
        return self.url + path

    def answer_to(self, path: str) -> tuple[int, str, str]:
        """Status, content type and body of the next answer."""
        answers = self._answers.get(path.partition("?")[0], [(200, "text/plain", "thanks")])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def take(self, count: int) -> list[Received]:
        """The next callbacks in the order of their arrival; each is waited for."""
        return [self.arrived.get(timeout=10) for _ in range(count)]


@contextmanager
def webhook_receiver() -> Iterator[WebhookReceiver]:
    """A receiver on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            signature = self.headers["X-Twilio-Signature"]
            receiver.arrived.put(
                Received(self.command, receiver.url + self.path, dict(parse_qsl(body)), signature)
            )
            status, kind, body = receiver.answer_to(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = WebhookReceiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
