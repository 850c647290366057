"""What Airflow hands a task at execution, as far as this package uses it: an XCom store and a little more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


@dataclass
class RecordingTaskInstance:
    """A task instance that remembers what was pushed to it."""

    task_id: str = "ring"
    map_index: int = -1
    first_reschedule_date: datetime | None = None
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def xcom_pull(self, task_ids: str | None = None, key: str = "return_value", **_: Any) -> Any:
        return self.xcoms.get(key) if task_ids in (None, self.task_id) else None

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.first_reschedule_date


def context(task_instance: RecordingTaskInstance | None = None) -> dict[str, Any]:
    """The context of one try of one task."""
    ti = task_instance or RecordingTaskInstance()
    return {"ti": ti, "task_instance": ti}
