"""A campaign against the simulator, in time that passes when somebody sleeps, through as many tries as it takes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_twiliocall.operators.call_campaign import CallCampaignOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.triggers.call_campaign import CallCampaignTrigger
from airflow_provider_twiliocall.twilio.client import TwilioClient
from tests.support.interruption import Killed
from tests.support.task_context import RecordingTaskInstance, StateStore, context
from tests.support.virtual_time import VirtualTime

FIRST_RUN, CLEARED = 2, 3


class InLine(Executor):
    """Threads that are none: what is submitted is done before anything else is, so that time can be virtual."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass
class MortalStore(StateStore):
    """A store whose process may die: nothing that it does afterwards reaches the store.

    :param dies_at: before which write it dies, from 1; None for never
    :param dies_after: whether it dies after that write instead
    """

    dies_at: int | None = None
    dies_after: bool = False
    is_dead: bool = False
    writes: int = 0

    def set(self, key: str, value: Any) -> None:
        if self.is_dead:
            raise Killed
        self.writes += 1
        self.is_dead = self.writes == self.dies_at
        if self.is_dead and not self.dies_after:
            raise Killed
        super().set(key, value)
        if self.is_dead:
            raise Killed

    def survivor(self) -> StateStore:
        """What the next try finds."""
        return StateStore(self.values)


def number(index: int) -> str:
    """Return the number of a callee."""
    return f"+1555123{index:04}"


def rows(count: int) -> list[dict[str, Any]]:
    """Return rows for so many callees."""
    return [{"to": number(index), "id": f"c{index}"} for index in range(count)]


@dataclass
class CampaignStage:
    """One task instance and its tries."""

    simulator: TwilioSimulator
    clock: VirtualTime
    store: StateStore | None = field(default_factory=StateStore)
    pauses: list[float] = field(default_factory=list)
    began: float = 0.0

    def __post_init__(self) -> None:
        self.began = self.clock.time()

    def task(self, calls: Any, **arguments: Any) -> CallCampaignOperator:
        given = {"message": "hello", "pace": 1, "poll_interval": 2, **arguments}
        return CallCampaignOperator(task_id="campaign", calls=calls, **given)

    def context(self, *, max_tries: int = FIRST_RUN, try_number: int = 1) -> dict[str, Any]:
        ti = RecordingTaskInstance(task_id="campaign", max_tries=max_tries)
        ti.try_number = try_number  # type: ignore[attr-defined]
        run_after = datetime.fromtimestamp(self.began, timezone.utc)
        return {**context(ti, self.store), "dag_run": SimpleNamespace(run_after=run_after)}

    def run(self, calls: Any, *, max_tries: int = FIRST_RUN, try_number: int = 1, **arguments: Any) -> Any:
        """Run a try of the task to its end, through its deferrals."""
        around = self.context(max_tries=max_tries, try_number=try_number)
        task = self.task(calls, **arguments)
        try:
            return task.execute(around)
        except TaskDeferred as deferred:
            paused = deferred
        while True:
            event = self.fire(paused)
            task = self.task(calls, **arguments)
            kept = {**(paused.kwargs or {}), "event": event}
            try:
                return task.resume_execution(paused.method_name, kept, around)
            except TaskDeferred as deferred:
                paused = deferred

    def fire(self, paused: TaskDeferred) -> dict[str, Any]:
        """Let the time pass for which a trigger waits, and return its event."""
        trigger = paused.trigger
        assert isinstance(trigger, CallCampaignTrigger)
        until = trigger.until
        if until is None or trigger.call_sids:
            # Whatever is going on is over by then.
            self.clock.sleep(max(0.0, min(until or 1e12, self.clock.time() + 300) - self.clock.time()))
        else:
            self.clock.sleep(until - self.clock.time())
        self.pauses.append(self.clock.time())
        _, kwargs = trigger.serialize()

        async def first_event() -> Any:
            return await CallCampaignTrigger(**json.loads(json.dumps(kwargs))).run().__anext__()

        return json.loads(json.dumps(asyncio.run(first_event()).payload))

    @property
    def rings(self) -> Counter[str]:
        """How often each number was called."""
        return Counter(call["to"] for call in self.simulator.calls)


def die_at_request(
    monkeypatch: pytest.MonkeyPatch, store: MortalStore, request_number: int, *, accepted: bool
) -> None:
    """Let the process die at a request to place a call, counted from 0.

    :param accepted: whether Twilio has taken it
    """
    create = TwilioClient.create_call
    made: list[Any] = []

    def create_or_die(client: TwilioClient, params: Any) -> Any:
        made.append(params)
        is_last = store.is_dead = len(made) > request_number
        call = None if is_last and not accepted else create(client, params)
        if is_last:
            raise Killed
        return call

    monkeypatch.setattr(TwilioClient, "create_call", create_or_die)
