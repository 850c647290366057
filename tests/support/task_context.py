"""What Airflow hands a task at execution, as far as this package uses it: XComs, the state store and a little more."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue, TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


@dataclass
class RecordingTaskInstance:
    """A task instance that remembers what was pushed to it.

    :param others: what the other tasks of the run have pushed: task_id to key to value
    """

    task_id: str = "ring"
    id: str = "01990000-0000-7000-8000-000000000001"
    map_index: int = -1
    rendered_map_index: str | None = None
    max_tries: int = 0
    first_reschedule_date: datetime | None = None
    xcoms: dict[str, Any] = field(default_factory=dict)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def xcom_pull(
        self, task_ids: str | Iterable[str] | None = None, key: str = "return_value", **_: Any
    ) -> Any:
        if task_ids is None or isinstance(task_ids, str):
            return self._of(task_ids or self.task_id).get(key)
        return [value for task_id in task_ids if (value := self._of(task_id).get(key)) is not None]

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.first_reschedule_date

    def _of(self, task_id: str) -> dict[str, Any]:
        return self.xcoms if task_id == self.task_id else self.others.get(task_id, {})


class StateStoreError(Exception):
    """As airflow.sdk's AirflowRuntimeError: it carries the answer of the API server."""

    def __init__(self, status_code: int | None) -> None:
        super().__init__(f"API_SERVER_ERROR: {status_code}")
        self.error = SimpleNamespace(detail={"status_code": status_code})


_JSON: TypeAdapter[Any] = TypeAdapter(JsonValue)


@dataclass
class StateStore:
    """A task state store in memory, which can be away, and counts its round trips.

    :param fault: what every request is answered with: None for success, an HTTP status, or 0 for no answer
    """

    values: dict[str, Any] = field(default_factory=dict)
    fault: int | None = None
    round_trips: int = 0

    def get(self, key: str, default: Any = None) -> Any:
        self._travel()
        return copy.deepcopy(self.values.get(key, default))

    def set(self, key: str, value: Any) -> None:
        self._travel()
        # As strict as Airflow, which takes no tuple.
        self.values[key] = copy.deepcopy(_JSON.validate_python(value, strict=True))

    def _travel(self) -> None:
        self.round_trips += 1
        if self.fault is not None:
            raise StateStoreError(self.fault or None)


def context(
    task_instance: RecordingTaskInstance | None = None, store: StateStore | None = None
) -> dict[str, Any]:
    """The context of one try of one task; without a store as on Airflow 3.1 and 3.2."""
    ti = task_instance or RecordingTaskInstance()
    return {"ti": ti, "task_instance": ti, "task_state_store": store}
