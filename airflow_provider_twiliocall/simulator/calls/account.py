"""The account: its credentials and numbers, its calls and their queue, and what happens to them in time."""

from __future__ import annotations

import heapq
import itertools
import math
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from airflow_provider_twiliocall.simulator.calls.call_life import (
    Planned,
    Step,
    after_the_end,
    life_of,
    price_of,
)
from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.endings import Outcome, Script
from airflow_provider_twiliocall.simulator.calls.identity import Credentials, OwnedNumber, derived
from airflow_provider_twiliocall.simulator.calls.simulated_call import (
    Form,
    Notification,
    Recording,
    SimulatedCall,
    new_sid,
)
from airflow_provider_twiliocall.simulator.problem import Problem
from airflow_provider_twiliocall.twilio.call import CallStatus

FROM_NUMBER = "+15005559000"
E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(frozen=True)
class CallEvent:
    """Something happened to a call that somebody may be told: ``initiated``, ``answered``, ``detected``, …"""

    call: SimulatedCall
    name: str
    at: float


@dataclass(order=True)
class _Due:
    at: float
    order: int
    call: SimulatedCall = field(compare=False)
    plan: int = field(compare=False)
    planned: Planned = field(compare=False)


class Account:
    """All the simulator knows. Every public method may be called from any thread.

    :param calls_per_second: calls that leave the queue in one simulated second.
    :param verified: the only numbers a trial account may call; None: no trial account.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        calls_per_second: float = 1.0,
        numbers: Iterable[str] = (),
        verified: Iterable[str] | None = None,
    ) -> None:
        if not calls_per_second > 0:
            raise ValueError(f"calls_per_second={calls_per_second!r} must be more than 0")
        self.clock = clock
        self.credentials = Credentials()
        self.calls_per_second = calls_per_second
        self.lock = threading.RLock()
        self.script = Script()
        self.created_at = clock.now()
        self.numbers: dict[str, OwnedNumber] = {}
        self.verified = None if verified is None else frozenset(verified)
        self.when_something_happens: Callable[[], None] = lambda: None
        self._own_at_first = (FROM_NUMBER, *numbers)
        self._clear()

    @property
    def sid(self) -> str:
        """The Account SID."""
        return self.credentials.account_sid

    @property
    def is_trial(self) -> bool:
        """Whether this is a trial account."""
        return self.verified is not None

    def reset(self) -> None:
        """No calls, no scripts: as at the start."""
        with self.lock:
            self._clear()

    def _clear(self) -> None:
        self.script.clear()
        self.numbers.clear()
        for number in self._own_at_first:
            self.own(number)
        self._calls: list[SimulatedCall] = []
        self._by_sid: dict[str, SimulatedCall] = {}
        self._by_to: dict[str, list[SimulatedCall]] = {}
        self._queue: deque[SimulatedCall] = deque()
        self._next_leaves_at = 0.0
        self._agenda: list[_Due] = []
        self._order = itertools.count()
        self._events: deque[CallEvent] = deque()

    def own(self, number: str) -> OwnedNumber:
        """Calls may come from this number from now on."""
        if not E164.fullmatch(number):
            raise ValueError(
                f"{number!r} is not E.164: + and the country code first, digits only, as in +15005559000"
            )
        with self.lock:
            sid = derived("PN", number)
            return self.numbers.setdefault(number, OwnedNumber(number, sid, self.clock.now()))

    # What clients do

    def create(self, form: Form) -> SimulatedCall:
        """Queue a call whose parameters have been checked."""
        with self.lock:
            now = self.advance()
            values = dict(form)
            owned = self.numbers.get(values["From"])
            call = SimulatedCall(
                number=len(self._calls),
                sid=new_sid("CA"),
                account_sid=self.sid,
                to=values["To"],
                from_=values["From"],
                form=form,
                ending=self.script.next(values["To"]),
                created_at=now,
                phone_number_sid=owned.sid if owned else None,
            )
            call.enter(CallStatus.QUEUED, now)
            self._calls.append(call)
            self._by_sid[call.sid] = call
            self._by_to.setdefault(call.to, []).append(call)
            if call.ending.outcome is not Outcome.QUEUED:
                self._queue.append(call)
            self.when_something_happens()
            return call

    def find(self, sid: str) -> SimulatedCall:
        """The call with a SID, up to date. Twilio's 20404 if there is none."""
        with self.lock:
            self.advance()
            call = self._by_sid.get(sid)
            if call is None or call.deleted:
                raise Problem(20404, f"/2010-04-01/Accounts/{self.sid}/Calls/{sid}.json")
            return call

    def peek(self, sid: str) -> SimulatedCall | None:
        """The call with a SID as it was last seen, if there is one."""
        return self._by_sid.get(sid)

    def end(self, sid: str, status: CallStatus) -> SimulatedCall:
        """End a call: ``canceled`` before it is answered, ``completed`` while it lives; else 21220."""
        with self.lock:
            call = self.find(sid)
            answered = call.status is CallStatus.IN_PROGRESS
            if call.status.is_terminal or (status is CallStatus.CANCELED and answered):
                raise Problem(21220, call.status.value)
            # Unverified: what "completed" makes of a call nobody has answered yet. A call without a
            # conversation is not reported as one that had it.
            self._end(call, CallStatus.COMPLETED if answered else CallStatus.CANCELED, self.clock.now())
            self.when_something_happens()
            return call

    def change(self, sid: str, changes: dict[str, str]) -> SimulatedCall:
        """Give a call in progress other instructions (21220 for any other call)."""
        with self.lock:
            call = self.find(sid)
            redirects = "Url" in changes or "Twiml" in changes
            if call.status.is_terminal or (redirects and call.answered_at is None):
                raise Problem(21220, call.status.value)
            call.changes.update(changes)
            call.updated_at = self.clock.now()
            if "TimeLimit" in changes and call.answered_at is not None:
                at = max(self.clock.now(), self.clock.after(call.answered_at, float(changes["TimeLimit"])))
                self._plan_at(call, at, Planned(0, Step.ENDS, CallStatus.COMPLETED))
            return call

    def delete(self, sid: str) -> None:
        """Forget a finished call; 20009 while it is not."""
        with self.lock:
            call = self.find(sid)
            if not call.status.is_terminal:
                raise Problem(20009, sid)
            call.deleted = True

    def calls(self, *, to: str | None = None) -> list[SimulatedCall]:
        """All calls, or those to one number, oldest first and up to date; deleted ones included."""
        with self.lock:
            self.advance()
            return list(self._calls if to is None else self._by_to.get(to, ()))

    def number_of(self, sid: str) -> int | None:
        """Where a call stands in the order of creation, even a deleted one."""
        call = self._by_sid.get(sid)
        return None if call is None else call.number

    # What time does

    def advance(self) -> float:
        """Let everything happen that was due by now, in order, and say what instant it is."""
        with self.lock:
            now = self.clock.now()
            while True:
                leaving = self._next_to_leave()
                due = self._agenda[0] if self._agenda else None
                if leaving is not None and leaving <= now and (due is None or leaving <= due.at):
                    self._dial(self._queue.popleft(), leaving)
                elif due is not None and due.at <= now:
                    heapq.heappop(self._agenda)
                    if due.plan == due.call.plan:
                        self._happen(due.call, due.planned, due.at)
                else:
                    return now

    def next_instant(self) -> float | None:
        """When something happens next, if anything is planned."""
        with self.lock:
            leaving = self._next_to_leave()
            instants = [self._agenda[0].at] if self._agenda else []
            return min([*instants, leaving] if leaving is not None else instants, default=None)

    def take_events(self) -> Iterator[CallEvent]:
        """What has happened since this was last asked, once each."""
        while self._events:
            yield self._events.popleft()

    def _next_to_leave(self) -> float | None:
        while self._queue and self._queue[0].status is not CallStatus.QUEUED:
            self._queue.popleft()
        return max(self._next_leaves_at, self._queue[0].created_at) if self._queue else None

    def _dial(self, call: SimulatedCall, at: float) -> None:
        self._next_leaves_at = self.clock.after(at, 1.0 / self.calls_per_second)
        call.dialed_at = call.updated_at = at
        call.queue_time = round(self.clock.seconds_between(call.created_at, at) * 1000)
        self._events.append(CallEvent(call, "initiated", at))
        for planned in life_of(call):
            self._plan_at(call, self.clock.after(at, planned.after), planned)

    def _plan_at(self, call: SimulatedCall, at: float, planned: Planned) -> None:
        heapq.heappush(self._agenda, _Due(at, next(self._order), call, call.plan, planned))

    def _happen(self, call: SimulatedCall, planned: Planned, at: float) -> None:
        step = planned.step
        if step is Step.ENDS:
            assert planned.status is not None
            self._end(call, planned.status, at, duration=planned.duration)
            return
        if step is Step.RINGS:
            call.enter(CallStatus.RINGING, at)
            self._events.append(CallEvent(call, "ringing", at))
        elif step is Step.IS_ANSWERED:
            call.enter(CallStatus.IN_PROGRESS, at)
            call.answered_at = at
            if call.is_recorded():
                call.recording = Recording(new_sid("RE"), at)
            self._events.append(CallEvent(call, "answered", at))
        elif step is Step.IS_DETECTED:
            call.answered_by, call.answered_by_at = planned.answered_by, at
            self._events.append(CallEvent(call, "detected", at))
        elif step is Step.RECORDING_IS_READY and call.recording is not None:
            call.recording.ready_at = at
            self._events.append(CallEvent(call, "recorded", at))
        elif step is Step.IS_PRICED:
            call.price, call.priced_at = price_of(call), at
        call.updated_at = at

    def _end(self, call: SimulatedCall, status: CallStatus, at: float, duration: int | None = None) -> None:
        call.plan += 1
        call.enter(status, at)
        call.ended_at = at
        call.duration = 0
        if call.answered_at is not None:
            lasted = math.ceil(round(self.clock.seconds_between(call.answered_at, at), 3))
            call.duration = lasted if duration is None else duration
        if call.recording is not None:
            call.recording.ended_at = at
        if status is CallStatus.FAILED and call.ending.error_code:
            ending = call.ending
            call.notifications.append(Notification(new_sid("NO"), at, ending.error_code, ending.failure))
        self._events.append(CallEvent(call, "completed", at))
        for planned in after_the_end(call):
            self._plan_at(call, self.clock.after(at, planned.after), planned)
