"""Every request that reached the simulated Twilio, and how it was answered."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_twiliocall.simulator.calls.simulated_call import Form

KEPT = 100_000


@dataclass
class ReceivedRequest:
    """One request to the Twilio API.

    :ivar method: the HTTP method.
    :ivar path: without the query.
    :ivar query: the query's pairs, in order.
    :ivar form: the form's pairs, in order; empty if the body was not a form.
    :ivar headers: names in lower case. ``Authorization`` shows its user only.
    :ivar operation: ``create``, ``get``, ``list``, ``update``, ``delete``, ``recordings``, …
    :ivar received_at: seconds since 1970 by this machine's clock.
    :ivar call_sid: the call it was about, a created one included.
    :ivar status: the HTTP status it was answered with; None before the answer, and for a dropped connection.
    :ivar code: Twilio's error code in the answer.
    :ivar refused: why Twilio would not have understood it; None if it would.
    :ivar fault: the kind of the fault that struck it.
    """

    number: int
    method: str
    path: str
    query: Form
    form: Form
    headers: dict[str, str]
    operation: str
    received_at: float
    call_sid: str = ""
    status: int | None = None
    code: int | None = None
    refused: str | None = None
    fault: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)


class RequestLog:
    """The requests in the order of their arrival, the last 100,000 of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: deque[ReceivedRequest] = deque(maxlen=KEPT)
        self._count = 0

    def note(
        self,
        *,
        method: str,
        path: str,
        query: Form,
        form: Form,
        headers: dict[str, str],
        operation: str,
        received_at: float,
        call_sid: str,
    ) -> ReceivedRequest:
        """Keep a request that has just arrived; how it is answered is filled in later."""
        with self._lock:
            request = ReceivedRequest(
                self._count, method, path, query, form, headers, operation, received_at, call_sid
            )
            self._count += 1
            self._requests.append(request)
            return request

    def all(self) -> list[ReceivedRequest]:
        """What was received since the start or the last reset."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._requests.clear()
            self._count = 0
