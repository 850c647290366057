"""The account: its credentials and numbers, its calls and their queue, and what happens to them in time."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from airflow_provider_twiliocall.simulator.calls.agenda import Agenda
from airflow_provider_twiliocall.simulator.calls.call_event import CallEvent
from airflow_provider_twiliocall.simulator.calls.call_life import (
    Planned,
    Step,
    after_the_end,
    life_of,
    price_of,
)
from airflow_provider_twiliocall.simulator.calls.call_queue import CallQueue
from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.conversation import Asking
from airflow_provider_twiliocall.simulator.calls.endings import Outcome, Script
from airflow_provider_twiliocall.simulator.calls.identity import E164, Credentials, OwnedNumber, derived
from airflow_provider_twiliocall.simulator.calls.presses import check_keys
from airflow_provider_twiliocall.simulator.calls.simulated_call import (
    Form,
    SimulatedCall,
    WebhookExchange,
    new_sid,
)
from airflow_provider_twiliocall.simulator.calls.speaker import PhoneLine, Speaker
from airflow_provider_twiliocall.simulator.problem import Problem
from airflow_provider_twiliocall.twilio.call import CallStatus

FROM_NUMBER = "+15005559000"


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
        self._speaker = Speaker(PhoneLine(clock, self._plan_at, self._send, self._hang_up))
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
        self._queue = CallQueue()
        self._agenda = Agenda(self.clock)
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
                self._queue.join(call)
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
            if redirects:
                self._speaker.change(call, changes, self.clock.now())
            if "TimeLimit" in changes and call.answered_at is not None:
                at = max(self.clock.now(), self.clock.after(call.answered_at, float(changes["TimeLimit"])))
                self._plan_at(call, at, Planned(0, Step.ENDS, CallStatus.COMPLETED))
            self.when_something_happens()
            return call

    def press(self, sid: str, keys: str) -> SimulatedCall:
        """The callee presses keys now (21220 for a call that is not in progress)."""
        check_keys(keys)
        with self.lock:
            call = self.find(sid)
            for key in keys:
                if call.status is not CallStatus.IN_PROGRESS:
                    raise Problem(21220, call.status.value)
                self._speaker.press(call, key, self.clock.now())
            self.when_something_happens()
            return call

    def take_answer(self, call: SimulatedCall, asking: Asking, exchange: WebhookExchange) -> None:
        """A web server was asked for TwiML, and this is what came of it."""
        with self.lock:
            # A reset may have forgotten the call.
            if self._by_sid.get(call.sid) is call:
                self._speaker.answered(call, asking, exchange)
                self.advance()
                self.when_something_happens()

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
            self._agenda.release()
            while True:
                leaving = self._queue.next_leaves_at()
                due = self._agenda.first(now)
                if leaving is not None and leaving <= now and (due is None or leaving <= due.at):
                    self._dial(leaving)
                elif due is not None:
                    self._agenda.take()
                    self._happen(due.call, due.planned, due.at)
                else:
                    return now

    def next_instant(self) -> float | None:
        """When something happens next, if anything is planned."""
        with self.lock:
            instants = (self._queue.next_leaves_at(), self._agenda.next_instant(self.clock.now()))
            return min((each for each in instants if each is not None), default=None)

    def take_events(self) -> Iterator[CallEvent]:
        """What has happened since this was last asked, once each."""
        while self._events:
            yield self._events.popleft()

    def _dial(self, at: float) -> None:
        call = self._queue.leave(self.clock.after(at, 1.0 / self.calls_per_second))
        call.dialed_at = call.updated_at = at
        call.queue_time = round(self.clock.seconds_between(call.created_at, at) * 1000)
        self._events.append(CallEvent(call, "initiated", at))
        for planned in life_of(call):
            self._plan_at(call, self.clock.after(at, planned.after), planned)

    def _plan_at(self, call: SimulatedCall, at: float, planned: Planned) -> None:
        self._agenda.add(call, at, planned)

    def _send(self, call: SimulatedCall, asking: Asking) -> None:
        self._events.append(CallEvent(call, "asks", asking.at, asking))

    def _happen(self, call: SimulatedCall, planned: Planned, at: float) -> None:
        step = planned.step
        if step is Step.ENDS and planned.status is not None:
            self._end(call, planned.status, at, duration=planned.duration)
            return
        if step is Step.RINGS:
            call.enter(CallStatus.RINGING, at)
            self._events.append(CallEvent(call, "ringing", at))
        elif step is Step.IS_ANSWERED:
            call.be_answered(at)
            self._events.append(CallEvent(call, "answered", at))
            if not call.waits_for_detection:
                self._speaker.begin(call, at)
        elif step is Step.IS_DETECTED:
            call.answered_by, call.answered_by_at = planned.answered_by, at
            self._events.append(CallEvent(call, "detected", at))
            if call.waits_for_detection:
                self._speaker.begin(call, at)
        elif step is Step.TIME_IS_UP:
            self._speaker.time_is_up(call, planned, at)
        elif step is Step.KEY_IS_PRESSED:
            self._speaker.scripted_key(call, planned, at)
        elif step is Step.RECORDING_IS_READY and call.recording is not None:
            call.recording.ready_at = at
            self._events.append(CallEvent(call, "recorded", at))
        elif step is Step.IS_PRICED:
            call.price, call.priced_at = price_of(call), at
        call.updated_at = at

    def _hang_up(self, call: SimulatedCall, at: float) -> None:
        self._end(call, CallStatus.COMPLETED, at)

    def _end(self, call: SimulatedCall, status: CallStatus, at: float, duration: int | None = None) -> None:
        if call.answered_at is None:
            duration = 0
        elif duration is None:
            duration = math.ceil(round(self.clock.seconds_between(call.answered_at, at), 3))
        call.be_over(status, at, duration)
        self._events.append(CallEvent(call, "completed", at))
        for planned in after_the_end(call):
            self._plan_at(call, self.clock.after(at, planned.after), planned)
