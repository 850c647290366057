"""A task that rings, as Airflow would run it: its tries, kills, deferrals and clears."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred
from airflow.sdk.bases.operator import ExecutorSafeguard

from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.journal import call_journal as journal
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger
from tests.integration.ring_once_stage import (
    CALLEE,
    DAG_ID,
    OVER,
    POLL_INTERVAL_S,
    QUEUE_TIMEOUT_S,
    RUN_ID,
    TASK_ID,
    TIME_TO_REFUSE_S,
    Process,
    ProcessDied,
    Ring,
    Rules,
    Settings,
    Stage,
    Strike,
)
from tests.support.task_context import RecordingTaskInstance, StateStore, context


class FencedStore(StateStore):
    """The task's store as one process sees it: away at times, and closed to one that was superseded."""

    def __init__(self, stage: Stage, process: Process, values: dict[str, Any]) -> None:
        super().__init__(values)
        self._stage = stage
        self._process = process

    def get(self, key: str, default: Any = None) -> Any:
        self._stage.point("before store get")
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self._stage.point("before store set")
        super().set(key, value)
        self._stage.tell(f"journal: {value['state']} {value['call_sid']} {value['ended_by_us']}")
        self._stage.point("after store set")

    def _travel(self) -> None:
        self.fault = None
        if self._stage.now() < self._stage.store_is_away_until:
            self._stage.pass_time(TIME_TO_REFUSE_S)
            self._process.missed_store = True
            self.fault = 0
        elif self._process.is_superseded:
            self.fault = 404
        super()._travel()


class RingTask:
    """One task instance in Airflow's database.

    ``state`` is Airflow's word; None for a task that waits to be started.
    """

    def __init__(self, stage: Stage, settings: Settings, rules: Rules) -> None:
        self.stage = stage
        self.settings = settings
        self.rules = rules
        self.state: str | None = None
        self.try_number = 0
        self.max_tries = settings.retries
        self.values: dict[str, Any] = {}
        self.xcoms: dict[str, Any] = {}
        self.rings: dict[str, Ring] = {}
        self.process: Process | None = None
        self.trigger: TwilioCallTrigger | None = None
        self.deferral: TaskDeferred | None = None
        self.deferred_until = 0.0
        self.strikes: list[Strike] = []
        # Whether a person has ended it before any triggerer had taken it up: Airflow then tells nobody.
        self.was_killed_unattended = False
        # Whether the template of whom to call finds nobody.
        self.renders_wrongly = False

    @property
    def is_over(self) -> bool:
        return self.state in ("success", "failed")

    @property
    def is_runnable(self) -> bool:
        return self.state in (None, "up_for_retry")

    @property
    def written(self) -> dict[str, Any]:
        """What the journal says."""
        return self.values.get(journal.KEY) or {}

    # Twilio's side ----------------------------------------------------------------------------------------

    def see(self, before: dict[str, str], after: dict[str, str], process: Process | None) -> None:
        """Note what a request of this task's has done at Twilio."""
        for sid, status in after.items():
            if sid not in before:
                assert process is not None
                self.stage.tell(f"rings: {sid}")
                ring = self.rings[sid] = Ring(sid, process.intention, process)
                process.rings.append(ring)
                self.note_what_is_written()
                self.rules.dialled(self, ring)
            elif status in OVER and before[sid] not in OVER:
                self.stage.tell(f"ended by us: {sid}")
                self.rings[sid].is_ended_by_us = True
                if process is not None:
                    process.ended.append(self.rings[sid])
                self.rules.ended(self, self.rings[sid], process)

    # Airflow's side ---------------------------------------------------------------------------------------

    def start(self, after: float) -> None:
        """Start the next try."""
        self.stage.pass_time(after)
        self.try_number += 1
        self.xcoms.clear()
        self.state = "running"
        self._run(lambda operator, task_context: operator.execute(task_context))

    def wait(self, seconds: float) -> None:
        """Let a triggerer wait for a while; if the trigger fires, resume."""
        self.trigger = self._new_trigger()
        self.stage.triggerer_stops_at = self.stage.now() + seconds
        payload = self._fire(self.trigger)
        if payload is not None:
            self._resume("execute_complete", {"event": payload})
        elif self.stage.now() >= self.deferred_until:
            self.nobody_takes_the_event()

    def nobody_takes_the_event(self) -> None:
        """Let the deferral's own timeout strike, no triggerer being there."""
        self.stage.pass_time(max(0.0, self.deferred_until - self.stage.now()))
        self._resume("__fail__", {"error": "Trigger timeout"})

    def lose_the_trigger(self) -> None:
        self._resume("__fail__", {"error": "Trigger failure"})

    def hand_over(self) -> None:
        """Tell the trigger that it is killed though the task goes on waiting, as Airflow does."""
        if self.trigger is not None:
            asyncio.run(self.trigger.on_kill())

    def mark(self, state: str) -> None:
        """Mark the deferred task, as a person would."""
        self.state, self.was_killed_unattended = state, self.trigger is None
        self.hand_over()
        self.trigger = None

    def mark_running_failed(self, process: Process) -> None:
        if not process.is_superseded:
            self.state, process.is_cut_off = "failed", True

    def clear(self, *, tell_trigger: bool = True) -> TwilioCallTrigger | None:
        """Clear the task, as a person would; return the trigger that has not been told."""
        if self.stage.process is not None:
            self.stage.process.is_superseded = True
        trigger, self.trigger = self.trigger, None
        self.max_tries = self.try_number + self.settings.retries if self.try_number else self.max_tries
        self.state = None
        if trigger is not None and tell_trigger:
            asyncio.run(trigger.on_kill())
            return None
        return trigger

    def _fire(self, trigger: TwilioCallTrigger) -> dict[str, Any] | None:
        async def first_event() -> dict[str, Any]:
            self.stage.waiting = asyncio.current_task()
            async for event in trigger.run():
                return json.loads(json.dumps(event.payload))
            raise AssertionError("the trigger ended without an event")

        try:
            return asyncio.run(first_event())
        except asyncio.CancelledError:
            return None

    def _new_trigger(self) -> TwilioCallTrigger:
        assert self.deferral is not None
        trigger = TwilioCallTrigger(**self.deferral.trigger.serialize()[1])
        trigger.task_instance = SimpleNamespace(dag_id=DAG_ID, run_id=RUN_ID, task_id=TASK_ID, map_index=-1)
        return trigger

    def _resume(self, method: str, kwargs: dict[str, Any]) -> None:
        self.state, self.trigger = "running", None
        self._run(lambda operator, task_context: operator.resume_execution(method, kwargs, task_context))

    def _run(self, execute: Callable[[CreateCallOperator, Any], Any]) -> None:
        strikes, self.strikes = self.strikes, []
        self.stage.tell(f"process starts, try {self.try_number}, max_tries {self.max_tries}")
        process = Process(self._new_operator(), self.max_tries, self.stage.now(), strikes)
        ti = RecordingTaskInstance(task_id=TASK_ID, max_tries=self.max_tries, xcoms=self.xcoms)
        task_context = context(ti, FencedStore(self.stage, process, self.values))
        outer, self.stage.process, self.process = self.stage.process, process, process
        try:
            self._execute(process, lambda: execute(process.operator, task_context))
        finally:
            self.stage.process = outer
            for client in ("client", "watcher"):
                if client in process.operator.hook.__dict__:
                    getattr(process.operator.hook, client).close()
        self.stage.tell(f"process ends: {process.end} {process.error or ''}; {self.written}")
        self.note_what_is_written()
        self.rules.process_ended(self, process)
        if not process.is_superseded and not process.is_cut_off:
            self._settle(process)

    def _execute(self, process: Process, execute: Callable[[], Any]) -> None:
        try:
            try:
                run = contextvars.copy_context()
                run.run(ExecutorSafeguard.tracker.set, process.operator)
                process.result = run.run(execute)
                process.end = "success"
            except AirflowTaskTimeout as error:
                process.end, process.error = "failed", error
                process.operator.on_kill()
        except TaskDeferred as deferral:
            process.end, process.result = "deferred", deferral
        except ProcessDied:
            process.end = "died"
        except AirflowFailException as error:
            process.end, process.error = "failed for good", error
        except AirflowException as error:
            process.end, process.error = "failed", error

    def _settle(self, process: Process) -> None:
        if process.end == "deferred":
            self.state, self.deferral = "deferred", process.result
            self.deferred_until = self.stage.now() + process.result.timeout.total_seconds()
        elif process.end == "success":
            self.state = "success"
        elif process.end != "failed for good" and self.settings.retries and self.try_number <= self.max_tries:
            self.state = "up_for_retry"
        else:
            self.state = "failed"

    def note_what_is_written(self) -> None:
        for sid in (self.written.get("call_sid"), *self.written.get("earlier_sids", ())):
            if sid in self.rings:
                self.rings[sid].is_written_down = True

    def _new_operator(self) -> CreateCallOperator:
        settings = self.settings
        waiting: dict[str, Any] = {}
        if settings.waits:
            waiting = {
                "wait_for_completion": True,
                "queue_timeout": QUEUE_TIMEOUT_S,
                "deferrable": settings.deferrable,
                "accept_answered_by": settings.accept_answered_by,
            }
        if settings.execution_timeout:
            waiting["execution_timeout"] = timedelta(seconds=settings.execution_timeout)
        operator = CreateCallOperator(
            task_id=TASK_ID,
            to=CALLEE,
            message="hello",
            poll_interval=POLL_INTERVAL_S,
            when_killed=settings.when_killed,  # type: ignore[arg-type]
            delivery=settings.delivery,  # type: ignore[arg-type]
            **waiting,
        )
        if self.renders_wrongly:
            operator.to = "nobody"
        return operator
