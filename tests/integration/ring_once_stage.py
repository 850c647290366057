"""Where a task that rings is played: time, Twilio, and the points at which its process can be struck.

Nothing of the package is replaced but its clock: operator, trigger, journal and client are the real ones and speak
HTTP to a real simulator.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.xcom import XCom

from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.simulator.operation import asked_for
from airflow_provider_twiliocall.twilio.client import TwilioClient
from airflow_provider_twiliocall.twilio.errors import TwilioAmbiguousError, TwilioError
from tests.support.replaced_sleep import replace_sleep
from tests.support.virtual_time import VirtualTime

if TYPE_CHECKING:
    from tests.integration.ring_once_machine import RingTask

CALLEE = "+15551230001"
DAG_ID, RUN_ID, TASK_ID = "alarm", "run", "ring"

START = 1_800_000_000.0
LATENCY_S = 0.05
TIME_TO_REFUSE_S = 10.0
GRACE_S = 5.0

POLL_INTERVAL_S = 5.0
QUEUE_TIMEOUT_S = 60.0

OVER = ("completed", "busy", "failed", "no-answer", "canceled")


class ProcessDied(BaseException):
    """SIGKILL: nothing of the process runs any more."""


@dataclass(frozen=True)
class Settings:
    """What the author of the task has chosen, and whose clock is wrong."""

    when_killed: str = "hang_up"
    delivery: str = "at_most_once"
    accept_answered_by: frozenset[str] | None = None
    waits: bool = True
    deferrable: bool = False
    retries: int = 2
    execution_timeout: int | None = None
    ahead: float = 0.0


@dataclass(frozen=True)
class Strike:
    """What happens to a process, and where: at the nth passing of a point, or after so many seconds of ``sleep``."""

    what: str
    point: str
    nth: int


@dataclass
class Ring:
    """One call at Twilio, and what only its maker can know of it."""

    sid: str
    intention: int
    process: Process
    is_ended_by_us: bool = False
    is_written_down: bool = False
    is_end_unwritten: bool = False
    is_mark_premature: bool = False


@dataclass
class Process:
    """One execution of the operator, from its start or its resumption to its end."""

    operator: CreateCallOperator
    intention: int
    started: float
    strikes: list[Strike]
    passed: Counter[str] = field(default_factory=Counter)
    rings: list[Ring] = field(default_factory=list)
    ended: list[Ring] = field(default_factory=list)
    end: str = "running"
    result: Any = None
    error: BaseException | None = None
    dies_at: float | None = None
    is_superseded: bool = False
    is_cut_off: bool = False
    is_told_to_stop: bool = False
    is_in_handler: bool = False
    was_timed_out: bool = False
    missed_store: bool = False
    failed_in_handler: bool = False
    failed_while_ending: bool = False
    lost_an_ending: bool = False


class Rules(Protocol):
    """Who watches."""

    def dialled(self, task: RingTask, ring: Ring) -> None: ...

    def ended(self, task: RingTask, ring: Ring, process: Process | None) -> None: ...

    def process_ended(self, task: RingTask, process: Process) -> None: ...


class Stage(VirtualTime):
    """Time and Twilio. Every request, store access and nap of the process on stage passes a point here."""

    def __init__(self, simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(simulator)
        self.simulator = simulator
        self.counts: Counter[str] = Counter()
        self.task: RingTask | None = None
        self.process: Process | None = None
        self.triggerer_stops_at: float | None = None
        self.waiting: asyncio.Task[Any] | None = None
        self.store_is_away_until = 0.0
        self.disturbed = False
        self.story: list[str] = []
        # Only sleeping lets time pass, so that an example runs alike however busy the machine is.
        monkeypatch.setattr(simulator.clock, "read", lambda: START)
        self.install(monkeypatch)
        replace_sleep(monkeypatch, self._sleep_in_triggerer)
        monkeypatch.setattr(TwilioClient, "send", self._sending(TwilioClient.send))
        monkeypatch.setattr(XCom, "get_one", lambda **whose: self._task.xcoms.get(whose["key"]))
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", self, raising=False)
        monkeypatch.setenv("AIRFLOW_CONN_TWILIO_DEFAULT", simulator.airflow_connection)

    def reset(self, task: RingTask) -> None:
        self.simulator.reset()
        self.task, self.process, self.ahead = task, None, task.settings.ahead
        self.store_is_away_until = 0.0
        self.disturbed = False
        self.story.clear()

    def tell(self, what: str) -> None:
        self.story.append(f"{self.now() - START:8.2f} {what}")

    @property
    def _task(self) -> RingTask:
        assert self.task is not None
        return self.task

    def now(self) -> float:
        return self.simulator.clock.now()

    def pass_time(self, seconds: float) -> None:
        self.simulator.clock.skip(seconds)

    async def asend(self, message: Any) -> Any:
        """Answer the trigger that asks for its task's state."""
        return SimpleNamespace(task_states={RUN_ID: {TASK_ID: self._task.state}})

    # Points -----------------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        process, until = self.process, self.now() + seconds
        while process is not None and (due := self._next_in_sleep(process, until)) is not None:
            self.pass_time(max(0.0, process.started + due.nth - self.now()))
            process.strikes.remove(due)
            self._strike(process, due)
        self.pass_time(max(0.0, until - self.now()))
        self._die_if_due(process)

    def _next_in_sleep(self, process: Process, until: float) -> Strike | None:
        due = [
            each for each in process.strikes if each.point == "sleep" and process.started + each.nth <= until
        ]
        return min(due, key=lambda each: each.nth, default=None)

    def _sleep_in_triggerer(self, seconds: float) -> None:
        self.pass_time(seconds)
        if self.triggerer_stops_at is not None and self.now() >= self.triggerer_stops_at:
            assert self.waiting is not None
            self.waiting.cancel()

    def point(self, name: str) -> None:
        process = self.process
        if process is None:
            return
        self._die_if_due(process)
        process.passed[name] += 1
        for strike in [each for each in process.strikes if each.point == name]:
            if strike.nth == process.passed[name]:
                process.strikes.remove(strike)
                self._strike(process, strike)

    def _die_if_due(self, process: Process | None) -> None:
        if process is not None and process.dies_at is not None and self.now() >= process.dies_at:
            raise ProcessDied

    def _strike(self, process: Process, strike: Strike) -> None:
        where = "while asleep" if strike.point == "sleep" else strike.point
        self.counts[f"struck: {strike.what} {where}"] += 1
        self.tell(f"strike: {strike.what} {where}")
        task = self._task
        if strike.what == "die":
            raise ProcessDied
        if strike.what == "evict":
            self.tell_to_stop(process)
        elif strike.what == "time out" and not process.was_timed_out:
            process.was_timed_out = True
            raise AirflowTaskTimeout
        elif strike.what == "mark failed":
            task.mark_running_failed(process)
            self.tell_to_stop(process)
            process.dies_at = self.now() + GRACE_S
        elif strike.what == "clear":
            task.clear()
            self.tell_to_stop(process)
            process.dies_at = self.now() + GRACE_S
        elif strike.what == "clear and be overtaken":
            task.clear()
            task.start(after=1.0)
        elif strike.what == "lose the store":
            self.store_is_away_until = self.now() + 30

    def tell_to_stop(self, process: Process) -> None:
        process.is_told_to_stop = process.is_in_handler = True
        process.operator.on_kill()
        process.is_in_handler = False

    def _sending(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def sending(client: TwilioClient, method: str, path: str, **kwargs: Any) -> Any:
            operation = asked_for(method, path.partition("?")[0]).operation.value
            self.point(f"before {operation}")
            self.pass_time(LATENCY_S)
            before = self._statuses() if method == "POST" else {}
            try:
                answer = send(client, method, path, **kwargs)
                self.tell(f"{operation}: {answer.text[:2000] if operation == 'update' else ''}"[:100])
                return answer
            except TwilioError as error:
                self.tell(f"{operation}: {error}"[:140])
                if self.process is not None and error.code != 21220:
                    self.process.failed_in_handler |= self.process.is_in_handler
                    self.process.failed_while_ending |= bool(self._task.written.get("ended_by_us"))
                    self.process.lost_an_ending |= operation == "update" and isinstance(
                        error, TwilioAmbiguousError
                    )
                raise
            finally:
                if method == "POST":
                    self._task.see(before, self._statuses(), self.process)
                self.point(f"after {operation}")

        return sending

    def _statuses(self) -> dict[str, str]:
        return {call["sid"]: call["status"] for call in self.simulator.calls}
