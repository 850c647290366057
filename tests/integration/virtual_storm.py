"""A storm in virtual time: the storm rule and the simulator's account as they are, but no second of it is waited.

What becomes of a storm in real time is a matter of the machine too, which has to place and cancel hundreds of calls
in seconds. Here only the rule decides: whoever has the turn works without time passing, and the clock jumps to the
next one that has waited long enough.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_twiliocall.notifications import alert, cooldown
from airflow_provider_twiliocall.notifications.alert_record import (
    LONGEST_CHANGE_S,
    LONGEST_QUESTION_S,
    PREFIX,
    AlertRecord,
)
from airflow_provider_twiliocall.notifications.deadline import Deadline, OutOfTimeError
from airflow_provider_twiliocall.notifications.this_process import WaitingTime
from airflow_provider_twiliocall.simulator.calls import account
from airflow_provider_twiliocall.simulator.calls.account import FROM_NUMBER, Account
from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.endings import as_endings
from airflow_provider_twiliocall.simulator.calls.simulated_call import SimulatedCall
from airflow_provider_twiliocall.simulator.problem import Problem
from airflow_provider_twiliocall.simulator.twilio_api.call_list import list_calls
from airflow_provider_twiliocall.simulator.twilio_api.resources import call_body
from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.errors import TwilioRejectedError
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.airflow_variables import AirflowVariables
from tests.support.replaced_clock import replace_clock

NUMBER = "+15551230001"
BUDGET = 9.5
START = 1_700_000_000.0


@dataclass(order=True)
class _Turn:
    at: float
    order: int
    given: threading.Event = field(default_factory=threading.Event, compare=False)


class VirtualTime:
    """In place of the package's clock, for threads of which one at a time has the turn."""

    def __init__(self) -> None:
        self._now = START
        self._order = itertools.count()
        self._waiting: list[_Turn] = []
        self._over = threading.Event()

    def time(self) -> float:
        return self._now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self._wait(self._turn(seconds))

    def start(self, work: Callable[[], object], *, after: float = 0.0) -> None:
        turn = self._turn(after)

        def run() -> None:
            turn.given.wait()
            try:
                work()
            finally:
                self._pass_on()

        threading.Thread(target=run, daemon=True).start()

    def run(self) -> None:
        """Let all that was started come to its end."""
        self._pass_on()
        self._over.wait()

    def bound(self, limit: Deadline, work: Callable[[], Any], *, most: float) -> Any:
        """In place of ``Deadline.bound``: what takes too long goes on, but is not waited for."""
        results: list[Callable[[], Any]] = []
        turn = self._turn(min(most, limit.left))

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                results.append(partial(_raise, error))
            else:
                results.append(lambda: result)
            if turn in self._waiting:
                self._waiting.remove(turn)
                heapq.heapify(self._waiting)
                turn.at = self._now
                heapq.heappush(self._waiting, turn)

        self.start(run)
        self._wait(turn)
        if not results:
            raise OutOfTimeError("no answer in time")
        return results[0]()

    def _turn(self, seconds: float) -> _Turn:
        turn = _Turn(self._now + max(0.0, seconds), next(self._order))
        heapq.heappush(self._waiting, turn)
        return turn

    def _wait(self, turn: _Turn) -> None:
        self._pass_on()
        turn.given.wait()

    def _pass_on(self) -> None:
        if not self._waiting:
            self._over.set()
            return
        turn = heapq.heappop(self._waiting)
        self._now = max(self._now, turn.at)
        turn.given.set()


def _raise(error: Exception) -> None:
    raise error


class VirtualAirflow(AirflowVariables):
    """Airflow's Variables; requests take their time, and some are lost on the way, or their answers are.

    :param answer: seconds
    :param lost: the share of requests that are lost, and of answers
    """

    def __init__(self, time: VirtualTime, chance: random.Random, answer: float, lost: float) -> None:
        super().__init__()
        self._time = time
        self._chance = chance
        self._answer = answer
        self._lost = lost

    def send(self, request: Any) -> Any:
        self._time.sleep(self._answer)
        self._lose()
        answer = super().send(request)
        self._lose()
        return answer

    def record(self) -> AlertRecord:
        """Return the record of one alert, with the time limits that it has in Airflow's processes."""

        def send(request: Any, longest: float) -> Any:
            return Deadline(longest).bound(lambda: self.send(request), most=longest)

        return AlertRecord(partial(send, longest=LONGEST_QUESTION_S), partial(send, longest=LONGEST_CHANGE_S))

    def has(self, call: Call | SimulatedCall) -> bool:
        """Say whether it is kept that an alert has placed the call."""
        return PREFIX + call.sid in self.kept

    def _lose(self) -> None:
        if self._chance.random() < self._lost:
            raise OSError("the API server is away")


@dataclass(frozen=True)
class Conditions:
    """How fast Twilio and Airflow answer, and what is lost.

    :param lag: seconds until a list shows a call
    :param answer: seconds that an answer takes, on average
    :param capacity: requests answered in a second
    :param record: seconds that Airflow takes to answer what it keeps of alerts
    :param lost: the share of requests to Airflow that are lost, and of its answers
    """

    lag: float = 0.0
    answer: float = 0.1
    capacity: float = 1000.0
    record: float = 0.05
    lost: float = 0.0


class VirtualTwilio:
    """A client of an account in this process; its requests take their time."""

    clock_offset = 0.0

    def __init__(self, time: VirtualTime, chance: random.Random, conditions: Conditions) -> None:
        self.account = Account(Clock(read=time.time), calls_per_second=1.0)
        self.account.script.set(NUMBER, as_endings({"outcome": "human", "talk": 60}))
        self.airflow = VirtualAirflow(time, chance, conditions.record, conditions.lost)
        self.requests = 0
        self._time = time
        self._chance = chance
        self._conditions = conditions
        self._busy_until = 0.0

    def create_call(self, params: CreateCallParams) -> Call:
        with self._request():
            return self._shown(self.account.create(tuple(params.to_form())))

    def get_call(self, sid: str) -> Call:
        with self._request():
            return self._shown(self.account.find(sid))

    def update_call(self, sid: str, *, status: CallStatus) -> Call:
        with self._request():
            try:
                return self._shown(self.account.end(sid, status))
            except Problem as problem:
                raise TwilioRejectedError(problem.message, code=problem.code) from None

    def list_calls(
        self, *, to: str, from_: str, page_size: int, start_time_after: Any = None
    ) -> Iterator[Call]:
        query = [("To", to), ("From", from_), ("PageSize", str(page_size))]
        if start_time_after is not None:
            query.append(("StartTime>", start_time_after.strftime("%Y-%m-%dT%H:%M:%SZ")))
        while query:
            with self._request():
                newest = self._time.time() - self._conditions.lag
                calls, page = list_calls(self.account, tuple(query), newest=newest)
                bodies = [call_body(call, self.account.clock) for call in calls]
                following = page.body("calls", bodies)["next_page_uri"]
            yield from map(Call.model_validate, bodies)
            query = parse_qsl(urlsplit(following or "").query)

    @contextmanager
    def _request(self) -> Iterator[None]:
        self.requests += 1
        half = self._conditions.answer / 2
        self._time.sleep(half * self._chance.uniform(0.5, 1.5))
        self._busy_until = max(self._busy_until, self._time.time()) + 1 / self._conditions.capacity
        self._time.sleep(self._busy_until - self._time.time())
        yield
        self._time.sleep(half * self._chance.uniform(0.5, 1.5))

    def _shown(self, call: SimulatedCall) -> Call:
        return Call.model_validate(call_body(call, self.account.clock))


def storm(
    patch: pytest.MonkeyPatch,
    conditions: Conditions,
    *,
    seed: int,
    notifiers: int = 200,
    spread: float = 0.5,
    ordinary_call: bool = False,
) -> VirtualTwilio:
    """Let that many alerts loose within ``spread`` seconds, and return what Twilio saw of it.

    :param ordinary_call: somebody has rung the number two minutes before, with an operator
    """
    time, chance = VirtualTime(), random.Random(seed)
    replace_clock(patch, time)
    patch.setattr(cooldown, "chance", chance)
    patch.setattr(account, "new_sid", lambda prefix: f"{prefix}{chance.getrandbits(128):032x}")
    patch.setattr(Deadline, "bound", lambda self, work, *, most: time.bound(self, work, most=most))
    twilio = VirtualTwilio(time, chance, conditions)
    params = CreateCallParams(to=NUMBER, from_=FROM_NUMBER, twiml="<Response/>")

    def ring() -> None:
        client: Any = twilio
        alert.Alert(
            client,
            params,
            cooldown=timedelta(minutes=15),
            delivery="at_least_once",
            seconds=BUDGET,
            waiting_time=WaitingTime(math.inf),
            record=twilio.airflow.record(),
        ).ring()

    begins = 0.0
    if ordinary_call:
        time.start(lambda: twilio.create_call(params))
        begins = 120.0
    for _ in range(notifiers):
        time.start(ring, after=begins + chance.uniform(0, spread))
    time.run()
    return twilio


def rings(twilio: VirtualTwilio) -> list[SimulatedCall]:
    """The calls that have left the queue, or will."""
    calls = twilio.account.calls()
    return [call for call in calls if call.dialed_at or call.status is CallStatus.QUEUED]
