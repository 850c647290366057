"""An escalation, played over HTTP as Airflow does: through waits and pauses, each part of a try in a new process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger
from tests.integration.ring_task import fire
from tests.support.task_context import RecordingTaskInstance, StateStore, context
from tests.support.virtual_time import VirtualTime

ANN, BEN, CLEO = "+15551230001", "+15551230002", "+15551230003"


def escalating(*contacts: Any, **arguments: Any) -> EscalateCallOperator:
    """A task that rings Ann, Ben and Cleo, or others."""
    return EscalateCallOperator(
        **{
            "task_id": "ring",
            "contacts": list(contacts) or [ANN, BEN, CLEO],
            "message": "hello",
            "poll_interval": 0.02,
            **arguments,
        }
    )


@dataclass
class EscalationRun:
    """One run of the task; its tries follow one another.

    :param store: None as on Airflow 3.1 and 3.2
    :param pauses: seconds that each pause between two rounds took
    :param contacts: what the template of the contacts renders to from now on; None for what they are given as
    """

    clock: VirtualTime
    store: StateStore | None = field(default_factory=StateStore)
    ti: RecordingTaskInstance = field(default_factory=RecordingTaskInstance)
    pauses: list[float] = field(default_factory=list)
    contacts: Any = None

    def try_once(self, *contacts: Any, **arguments: Any) -> Any:
        """Play one try to its end."""
        return self.finish(self.begin(*contacts, **arguments), *contacts, **arguments)

    def finish(self, deferred: Any, *contacts: Any, **arguments: Any) -> Any:
        """Play a try to its end from where it deferred, if it did."""
        while isinstance(deferred, TaskDeferred):
            deferred = self.go_on(deferred, *contacts, **arguments)
        return deferred

    def play_until_it_pauses(self, *contacts: Any, **arguments: Any) -> None:
        """Play one try until it pauses between two rounds."""
        deferred = self.begin(*contacts, **arguments)
        while isinstance(deferred.trigger, TwilioCallTrigger):
            deferred = self.go_on(deferred, *contacts, **arguments)

    def go_on(self, deferred: TaskDeferred, *contacts: Any, **arguments: Any) -> Any:
        """Wait or pause as deferred, and play the next part of the try."""
        kept = {**json.loads(json.dumps(deferred.kwargs or {})), "event": self._event(deferred.trigger)}
        return self.defer(
            lambda task: task.resume_execution(deferred.method_name, kept, self._context()),
            contacts,
            arguments,
        )

    def defer(
        self,
        part: Callable[[EscalateCallOperator], Any],
        contacts: tuple[Any, ...] = (),
        arguments: dict[str, Any] | None = None,
    ) -> Any:
        """Play one part of a try; return how it deferred, or what it returned."""
        task = escalating(*contacts, **(arguments or {}))
        if self.contacts is not None:
            task.contacts = self.contacts
        try:
            return part(task)
        except TaskDeferred as deferred:
            return deferred

    def begin(self, *contacts: Any, **arguments: Any) -> Any:
        """Play the first part of a try."""
        return self.defer(lambda task: task.execute(self._context()), contacts, arguments)

    def _event(self, trigger: Any) -> Any:
        if isinstance(trigger, TwilioCallTrigger):
            return fire(trigger)
        seconds = trigger.moment.timestamp() - self.clock.time()
        self.pauses.append(seconds)
        self.clock.sleep(seconds)
        return None

    def _context(self) -> dict[str, Any]:
        return context(self.ti, self.store)


def dialled(simulator: TwilioSimulator) -> list[str]:
    """Whom Twilio was asked to call, in order."""
    return [dict(request.form)["To"] for request in simulator.requests if request.operation == "create"]


def told(run: EscalationRun) -> Iterator[tuple[str, str]]:
    """What the XCom ``dials`` says: the end of each number, and the status."""
    return ((dial["to"][-4:], dial["status"]) for dial in run.ti.xcoms["dials"])
