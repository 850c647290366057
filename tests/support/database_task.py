"""A task's state store and XComs that lie in Airflow's database, where the API server finds them too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_twiliocall.plugins.task_record import TaskRecord, task_of
from tests.support.airflow_database import TaskRow, session_of
from tests.support.task_context import RecordingTaskInstance, StateStore


class _Row:
    def __init__(self, row: TaskRow) -> None:
        self._row = row

    def do(self, what: str, *arguments: Any) -> Any:
        with session_of() as session:
            task = task_of(session, str(self._row.now["id"]))
            assert task is not None
            return getattr(TaskRecord(session, task), what)(*arguments)


class DatabaseStore(StateStore):
    """The task state store."""

    def __init__(self, row: TaskRow) -> None:
        super().__init__()
        self._row = _Row(row)

    def get(self, key: str, default: Any = None) -> Any:
        found = self._row.do("_get", key)
        return default if found is None else found

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        self._row.do("_set", key, value)


class DatabaseTaskInstance(RecordingTaskInstance):
    """A task instance whose XComs begin empty, as at every try."""

    def __init__(self, row: TaskRow) -> None:
        super().__init__(id=str(row.now["id"]))
        self._row = _Row(row)
        row.clear_xcoms()

    def xcom_push(self, key: str, value: Any) -> None:
        super().xcom_push(key, value)
        self._row.do("push_xcom", key, value)

    def xcom_pull(
        self, task_ids: str | Iterable[str] | None = None, key: str = "return_value", **more: Any
    ) -> Any:
        if isinstance(task_ids, str):
            return self._row.do("xcom", key)
        return super().xcom_pull(task_ids, key, **more)
