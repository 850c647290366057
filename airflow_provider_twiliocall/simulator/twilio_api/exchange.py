"""One request and its answer on the wire: recorded, struck by faults, given Twilio's headers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any

from airflow_provider_twiliocall.simulator.calls.simulated_call import Form, new_sid
from airflow_provider_twiliocall.simulator.fault import Fault, FaultKind
from airflow_provider_twiliocall.simulator.operation import Operation, asked_for
from airflow_provider_twiliocall.simulator.problem import problem_body
from airflow_provider_twiliocall.simulator.request_log import ReceivedRequest
from airflow_provider_twiliocall.simulator.twilio import Twilio
from airflow_provider_twiliocall.simulator.twilio_api.form import FORM_TYPE, read_pairs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)

# Where server.py puts a connection's transport, so that a fault can close it.
TRANSPORT = "transport"

HTML_PAGE = (
    "<html><head><title>{status} Bad Gateway</title></head>"
    "<body><center><h1>{status} Bad Gateway</h1></center><hr><center>proxy</center></body></html>"
)


@dataclass
class Answer:
    """An HTTP answer, whole."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @classmethod
    def of_text(cls, status: int, text: str, content_type: str) -> Answer:
        """An answer that a fault gives instead of Twilio."""
        return cls(status, [(b"content-type", content_type.encode())], text.encode())

    def set(self, name: bytes, value: bytes) -> None:
        """Put a header in place of those of the same name."""
        self.headers = [pair for pair in self.headers if pair[0].lower() != name.lower()] + [(name, value)]


class Exchange:
    """ASGI middleware around the simulated API; the control API passes through it untouched."""

    def __init__(self, app: App, twilio: Twilio) -> None:
        self._app = app
        self._twilio = twilio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or strike it with a fault."""
        if scope["type"] != "http" or scope["path"].split("/")[1] == "simulator":
            await self._app(scope, receive, send)
            return
        body = await _read_all(receive)
        if body is None:
            return
        request = self._note(scope, body)
        struck = self._twilio.faults.strike(
            Operation(request.operation), self._number_asked_for(request), request.call_sid
        )
        request.fault = struck.names
        scope.setdefault("state", {})["reading_fault"] = struck.reading
        if struck.delay is not None and not struck.delay.after:
            await asyncio.sleep(struck.delay.seconds or 0)
        answer = None
        if struck.answer is None or struck.answer.is_processed:
            answer = await self._ask(scope, body, request)
        if struck.delay is not None and struck.delay.after:
            await asyncio.sleep(struck.delay.seconds or 0)
        await self._reply(scope, receive, send, request, answer, struck.answer)

    def _note(self, scope: Scope, body: bytes) -> ReceivedRequest:
        asked = asked_for(scope["method"], scope["path"])
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        is_form = headers.get("content-type", "").startswith(FORM_TYPE)
        if "authorization" in headers:
            headers["authorization"] = headers["authorization"].partition(" ")[0] + " ***"
        return self._twilio.log.note(
            method=scope["method"],
            path=scope["path"],
            query=_pairs(scope["query_string"]),
            form=_pairs(body) if is_form else (),
            headers=headers,
            operation=asked.operation.value,
            received_at=self._twilio.account.clock.now(),
            call_sid=asked.call_sid,
        )

    def _number_asked_for(self, request: ReceivedRequest) -> str:
        if request.call_sid:
            call = self._twilio.account.peek(request.call_sid)
            return call.to if call else ""
        return dict(request.form or request.query).get("To", "")

    async def _ask(self, scope: Scope, body: bytes, request: ReceivedRequest) -> Answer:
        """What the API answers."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        try:
            await self._app(scope, receive, send)
        except Exception:
            # A fault of the simulator itself: log it, and answer as a server that failed.
            _log.exception("The simulator failed on %s %s", request.method, request.path)
            return Answer.of_text(500, json.dumps(problem_body(500)), "application/json")
        request.call_sid = scope["state"].get("created_call", request.call_sid)
        request.refused = scope["state"].get("refused")
        request.code = scope["state"].get("code")
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(sent[0]["status"], list(sent[0]["headers"]), content)

    async def _reply(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        request: ReceivedRequest,
        answer: Answer | None,
        fault: Fault | None,
    ) -> None:
        if fault is not None and fault.kind is FaultKind.DROP:
            await _close(scope, receive, at_once=True)
            return
        answer = _struck(answer, fault)
        request.status = answer.status
        if answer.status != 204:
            answer.set(b"content-length", str(len(answer.body)).encode())
        clock = self._twilio.account.clock
        answer.set(b"date", format_datetime(clock.date(clock.now()), usegmt=True).encode())
        answer.set(b"twilio-request-id", new_sid("RQ").encode())
        answer.set(b"twilio-request-duration", b"0.010")
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        if fault is not None and fault.kind is FaultKind.CUT:
            half = answer.body[: len(answer.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await _close(scope, receive, at_once=False)
            return
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _struck(answer: Answer | None, fault: Fault | None) -> Answer:
    """The answer as the fault leaves it."""
    if fault is not None and fault.kind is FaultKind.STATUS:
        assert fault.status is not None
        body = json.dumps(problem_body(fault.status, fault.code)) if fault.body is None else fault.body
        answer = Answer.of_text(fault.status, body, "application/json")
    elif fault is not None and fault.kind is FaultKind.HTML:
        status = fault.status or 502
        page = HTML_PAGE.format(status=status) if fault.body is None else fault.body
        answer = Answer.of_text(status, page, "text/html")
    assert answer is not None
    if fault is not None and fault.kind is FaultKind.TRUNCATED:
        answer.body = answer.body[: len(answer.body) // 2]
    for name, value in (fault.headers if fault is not None else {}).items():
        answer.set(name.encode("latin-1"), value.encode("latin-1"))
    return answer


async def _read_all(receive: Receive) -> bytes | None:
    """The body; None if the client went away while sending it."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def _close(scope: Scope, receive: Receive, *, at_once: bool) -> None:
    """Close the client's connection: at once, or after what was written has gone out."""
    transport = scope["state"][TRANSPORT]
    if at_once:
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _pairs(text: bytes) -> Form:
    try:
        return read_pairs(text.decode("ascii"))
    except ValueError:
        return ()
