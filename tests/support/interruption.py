"""What ends a try before its time: a kill, a signal while it sleeps, a store that is away or obeys another."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk.execution_time.timeout import TimeoutPosix

from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.support.task_context import StateStore
from tests.support.virtual_time import VirtualTime

AWAY = 0
SUPERSEDED = 404


class Killed(BaseException):
    """SIGKILL: nothing of the try runs after it."""


@dataclass
class DeadlyStore(StateStore):
    """A store at whose door the process dies: before or after the journal says a state."""

    before: str | None = None
    after: str | None = None

    def set(self, key: str, value: Any) -> None:
        self._die_if(value["state"] == self.before)
        super().set(key, value)
        self._die_if(value["state"] == self.after)

    @staticmethod
    def _die_if(fatal: bool) -> None:
        if fatal:
            raise Killed

    def survivor(self) -> StateStore:
        """What the next try finds."""
        return StateStore(self.values)


@dataclass
class UnsteadyStore(StateStore):
    """A store that answers each round trip in turn with a fault of :class:`.StateStore`, and is well afterwards."""

    faults: list[int | None] = field(default_factory=list)

    def _travel(self) -> None:
        self.fault = self.faults.pop(0) if self.faults else None
        super()._travel()


@dataclass
class SignallingStore(StateStore):
    """A store during whose first write of a state a signal arrives."""

    state: str | None = None
    signals: list[int] = field(default_factory=list)

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        if value["state"] == self.state and self.signals:
            signal.raise_signal(self.signals.pop())


class InterruptedTime(VirtualTime):
    """Time in which a signal arrives while the task sleeps for the first time."""

    def __init__(self, simulator: TwilioSimulator, signal_number: int) -> None:
        super().__init__(simulator)
        self._pending = [signal_number]

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self._pending:
            signal.raise_signal(self._pending.pop())


def execute_with_a_timeout(task: CreateCallOperator, context: dict[str, Any]) -> str:
    """Execute a task that has an ``execution_timeout``, as Airflow's task runner does."""
    try:
        with TimeoutPosix(3600):
            return task.execute(context)
    except AirflowTaskTimeout:
        task.on_kill()
        raise


def interrupted(method: Callable[..., Any], signal_number: int) -> Callable[..., Any]:
    """A method in the midst of which, when it is called for the first time, a signal arrives."""
    pending = [signal_number]

    def interrupted_once(*arguments: Any) -> Any:
        result = method(*arguments)
        if pending:
            signal.raise_signal(pending.pop())
        return result

    return interrupted_once
