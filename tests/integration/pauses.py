"""A task that pauses: played through its pauses as Airflow does, in time that passes when somebody sleeps."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred

from tests.support.task_context import RecordingTaskInstance, StateStore, context
from tests.support.virtual_time import VirtualTime


@dataclass
class PausingRun:
    """One run of a task on one clock; its tries follow one another, and its pauses are remembered.

    :param run_after: Unix time for which the run was scheduled
    :param pauses: seconds that each pause took
    """

    clock: VirtualTime
    store: StateStore | None = field(default_factory=StateStore)
    ti: RecordingTaskInstance = field(default_factory=RecordingTaskInstance)
    run_after: float | None = None
    pauses: list[float] = field(default_factory=list)

    def try_once(self, task: Any) -> Any:
        """Let the task run, and resume it after each pause, until it returns or raises something else."""
        try:
            return task.execute(self.context())
        except TaskDeferred as deferred:
            paused = deferred
        while True:
            self._sit_out(paused)
            try:
                return self.resume(task, paused)
            except TaskDeferred as deferred:
                paused = deferred

    def resume(self, task: Any, paused: TaskDeferred) -> Any:
        """Resume a task after its pause, with what Airflow has kept of it."""
        kept = json.loads(json.dumps(paused.kwargs or {}))
        return task.resume_execution(paused.method_name, {**kept, "event": None}, self.context())

    def context(self) -> dict[str, Any]:
        """What Airflow hands each part of a try."""
        run_after = self.clock.time() if self.run_after is None else self.run_after
        dag_run = SimpleNamespace(run_after=datetime.fromtimestamp(run_after, timezone.utc))
        return {**context(self.ti, self.store), "dag_run": dag_run}

    def _sit_out(self, paused: TaskDeferred) -> None:
        seconds = paused.trigger.moment.timestamp() - self.clock.time()
        self.pauses.append(seconds)
        self.clock.sleep(seconds)

    def window(self, opens: timedelta, closes: timedelta) -> dict[str, str]:
        """Return a call window that opens and closes so long after now, by the minute."""
        now = datetime.fromtimestamp(self.clock.time(), timezone.utc)
        return {"start": f"{now + opens:%H:%M}", "end": f"{now + closes:%H:%M}", "timezone": "UTC"}
