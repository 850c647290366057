"""Airflow's own database, as its API server sees it: made in the home of the tests, without a migration."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Uuid, delete, insert, select, update

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

DAG_ID, RUN_ID, TASK_ID = "reminders", "manual__1", "ring"


@cache
def make_tables() -> None:
    """Make the tables, once in a process."""
    from airflow import settings
    from airflow.models import import_all_models
    from airflow.models.base import Base

    settings.configure_orm()
    import_all_models()
    Base.metadata.create_all(settings.engine)


@contextmanager
def session_of() -> Iterator[Session]:
    """A session that is committed at its end."""
    from airflow.utils.session import create_session

    make_tables()
    with create_session() as session:
        yield session


class TaskRow:
    """One task instance in the database, as scheduler and worker write it.

    :param map_index: -1 for a task that is not mapped
    """

    def __init__(self, *, map_index: int = -1) -> None:
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.xcom import XComModel

        self.map_index = map_index
        self._model = TaskInstance
        self.id = str(uuid.uuid4())
        now = datetime.now(timezone.utc)
        with session_of() as session:
            for model in (XComModel, TaskInstance, *_state_models(), DagRun):
                session.execute(delete(model))
            session.execute(
                insert(DagRun).values(
                    id=1,
                    dag_id=DAG_ID,
                    run_id=RUN_ID,
                    run_type="manual",
                    run_after=now,
                    state="running",
                    span_status="not_started",
                    log_template_id=None,
                )
            )
            session.execute(
                insert(TaskInstance).values(
                    id=self._as_id(self.id),
                    dag_id=DAG_ID,
                    run_id=RUN_ID,
                    task_id=TASK_ID,
                    map_index=map_index,
                    state="running",
                    pool="default_pool",
                    pool_slots=1,
                    try_number=1,
                    max_tries=0,
                    span_status="not_started",
                )
            )

    def defer(self, *, next_method: str = "execute_complete", seconds_ago: float = 60.0) -> None:
        """The task's process has ended, and a trigger waits."""
        self.change(
            state="deferred",
            next_method=next_method,
            next_kwargs={},
            updated_at=datetime.now(timezone.utc) - timedelta(seconds=seconds_ago),
        )

    def replace_by_next_try(self) -> str:
        """The try is over, and another one has its place; return the new id."""
        from airflow.models.taskinstancehistory import TaskInstanceHistory

        with session_of() as session:
            session.execute(
                insert(TaskInstanceHistory).values(
                    task_instance_id=self._as_id(str(self.now["id"]), TaskInstanceHistory.task_instance_id),
                    dag_id=DAG_ID,
                    run_id=RUN_ID,
                    task_id=TASK_ID,
                    map_index=self.map_index,
                    try_number=self.now["try_number"],
                    pool="default_pool",
                    pool_slots=1,
                    span_status="not_started",
                )
            )
        new = str(uuid.uuid4())
        self.change(
            id=self._as_id(new), try_number=self.now["try_number"] + 1, state="running", next_method=None
        )
        return new

    def clear_xcoms(self) -> None:
        """Airflow clears them before every try."""
        from airflow.models.xcom import XComModel

        with session_of() as session:
            session.execute(delete(XComModel))

    def change(self, **values: Any) -> None:
        """Change columns."""
        with session_of() as session:
            session.execute(update(self._model).values(**values))

    @property
    def now(self) -> Any:
        """Its columns, as they are now."""
        with session_of() as session:
            return session.execute(select(*self._model.__table__.columns)).mappings().one()

    def _as_id(self, given: str, column: Any = None) -> Any:
        column = self._model.id if column is None else column
        return uuid.UUID(given) if isinstance(column.type, Uuid) else given


def _state_models() -> list[Any]:
    if not keeps_state():
        return []
    from airflow.models.task_state_store import TaskStateStoreModel

    return [TaskStateStoreModel]


def keeps_state() -> bool:
    """Whether this Airflow keeps a task's state: 3.3 and later."""
    try:
        import airflow.models.task_state_store  # noqa: F401
    except ImportError:
        return False
    return True
