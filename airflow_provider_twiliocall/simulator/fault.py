"""Faults to inject: what goes wrong, for which requests, and how often."""

from __future__ import annotations

import threading
import uuid
from enum import Enum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_twiliocall.simulator.operation import Operation


class FaultKind(str, Enum):
    """What goes wrong."""

    STATUS = "status"
    DELAY = "delay"
    DROP = "drop"
    CUT = "cut"
    HTML = "html"
    TRUNCATED = "truncated"
    NOT_FOUND = "not-found"
    STALE = "stale"
    LIST_LAG = "list-lag"


# These change only what is read.
_READING = {
    FaultKind.NOT_FOUND: {Operation.GET},
    FaultKind.STALE: {Operation.GET},
    FaultKind.LIST_LAG: {Operation.LIST},
}


class Fault(BaseModel):
    """One fault. Its seconds are real, because the client's timeouts are.

    :param kind: what goes wrong:

        - ``status``: the answer is ``status``, ``headers``, and ``body`` or Twilio's error body for ``code``
        - ``delay``: the proper answer, ``seconds`` later
        - ``drop``: the connection is closed without an answer
        - ``cut``: the connection is closed in the middle of the proper answer's body
        - ``html``: a proxy's HTML page (or ``body``) with ``status``, 502 unless set
        - ``truncated``: half of the proper answer's JSON, with a length that fits
        - ``not-found``: 404 for a call younger than ``seconds``; unset: for any call
        - ``stale``: the call as it was ``seconds`` ago; unset: as it was created
        - ``list-lag``: lists without the calls younger than ``seconds``
    :param after: for ``status``, ``drop``, ``html`` and ``delay``. False: the fault strikes before Twilio
        has the request (a delay holds it up, the others drop it); True: Twilio has carried it out, and the fault
        strikes the answer.
    :param operations: which requests it may strike; empty: every one that the kind can meet.
    :param to: only requests about calls to this number (for a list: that filter on it).
    :param sid: only requests about this call.
    :param skip: let that many fitting requests through first.
    :param times: strike that many requests; None: until cleared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    after: bool = False
    status: int | None = Field(default=None, ge=200, le=599)
    code: int | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    seconds: float | None = Field(default=None, ge=0)
    operations: frozenset[Operation] = frozenset()
    to: str | None = None
    sid: str | None = None
    skip: int = Field(default=0, ge=0)
    times: int | None = Field(default=1, ge=1)

    def model_post_init(self, context: Any) -> None:
        """Refuse a fault that lacks what its kind needs."""
        if self.kind is FaultKind.STATUS and self.status is None:
            raise ValueError("kind='status' needs a status, e.g. Fault(kind='status', status=503)")
        if self.kind in (FaultKind.DELAY, FaultKind.LIST_LAG) and self.seconds is None:
            raise ValueError(f"a fault of kind {self.kind.value!r} needs seconds")
        able = _READING.get(self.kind)
        if able and not self.operations <= able:
            raise ValueError(f"a fault of kind {self.kind.value!r} only strikes: {', '.join(sorted(able))}")

    def fits(self, operation: Operation, to: str, sid: str) -> bool:
        """Whether a request is one of those that this fault may strike."""
        operations = self.operations or _READING.get(self.kind)
        if operations and operation not in operations:
            return False
        return self.to in (None, to) and self.sid in (None, sid)

    @property
    def sort(self) -> str:
        """Which part of a request it strikes: ``reading``, ``delay`` or ``answer``."""
        if self.kind is FaultKind.DELAY:
            return "delay"
        return "reading" if self.kind in _READING else "answer"

    @property
    def is_processed(self) -> bool:
        """Whether Twilio still carries the request out."""
        return self.after or self.kind not in (FaultKind.STATUS, FaultKind.DROP, FaultKind.HTML)


class _Armed:
    def __init__(self, fault: Fault) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.fault = fault
        self.met = 0
        self.struck = 0

    @property
    def is_spent(self) -> bool:
        return self.fault.times is not None and self.struck >= self.fault.times

    def as_dict(self) -> dict[str, Any]:
        counts = {"id": self.id, "struck": self.struck, "spent": self.is_spent}
        return counts | self.fault.model_dump(mode="json")


class Struck(NamedTuple):
    """What strikes one request."""

    reading: Fault | None = None
    delay: Fault | None = None
    answer: Fault | None = None

    @property
    def names(self) -> str | None:
        """The kinds, for the record; None if nothing strikes."""
        return "+".join(fault.kind.value for fault in self if fault is not None) or None


class Faults:
    """The faults in force. One request meets at most one of each sort, the one injected first.

    The sorts: reading something else (``not-found``, ``stale``, ``list-lag``); a delay; a wrong or lost answer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []

    def inject(self, fault: Fault) -> str:
        """Inject a fault. The returned id clears it."""
        armed = _Armed(fault)
        with self._lock:
            self._armed.append(armed)
        return armed.id

    def clear(self, fault_id: str | None = None) -> bool:
        """Clear one fault, or all; False if there was no such fault."""
        with self._lock:
            before = len(self._armed)
            self._armed = [each for each in self._armed if fault_id is not None and each.id != fault_id]
            return len(self._armed) < before

    def strike(self, operation: Operation, to: str, sid: str) -> Struck:
        """The faults that strike this request, counted off."""
        struck = Struck()
        with self._lock:
            for armed in self._armed:
                sort = armed.fault.sort
                if (
                    armed.is_spent
                    or getattr(struck, sort) is not None
                    or not armed.fault.fits(operation, to, sid)
                ):
                    continue
                armed.met += 1
                if armed.met > armed.fault.skip:
                    armed.struck += 1
                    struck = struck._replace(**{sort: armed.fault})
        return struck

    def as_list(self) -> list[dict[str, Any]]:
        """All faults, spent ones too, with how often each has struck."""
        with self._lock:
            return [
                {
                    "id": each.id,
                    "struck": each.struck,
                    "spent": each.is_spent,
                    **each.fault.model_dump(mode="json"),
                }
                for each in self._armed
            ]
