"""What differs between Airflow 3.1, 3.2 and 3.3, and what Airflow does differently when it tests a DAG from the shell.

Two differences are elsewhere, because they need no version: the connection form is said in both ways that Airflow asks
for (``hooks/connection_form.py``), and a context without a task state store has no journal (``journal/store.py``).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

try:
    from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferralError, TaskDeferralTimeout
except ImportError:  # Airflow 3.1
    from airflow.exceptions import (  # type: ignore[no-redef]
        AirflowTaskTimeout,
        TaskDeferralError,
        TaskDeferralTimeout,
    )

__all__ = [
    "AirflowTaskTimeout",
    "StateStoreOfTask",
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "comms_for_threads",
    "keeps_task_state",
    "runs_triggers_in_line",
    "set_xcom_on_server",
    "state_store_on_server",
]


def keeps_task_state() -> bool:
    """Whether this Airflow keeps anything for a task from one try to the next: 3.3 and later do."""
    from airflow import __version__

    return tuple(map(int, __version__.split(".")[:2])) >= (3, 3)


def runs_triggers_in_line() -> bool:
    """Whether a task that defers now would have its trigger run in this process.

    ``airflow tasks test`` and ``airflow dags test`` do that, without the metadata database's connections: the trigger
    finds those of the environment and of a secrets backend alone. Seen on Airflow 3.1, 3.2 and 3.3.
    """
    from airflow.sdk.execution_time import task_runner

    return type(getattr(task_runner, "SUPERVISOR_COMMS", None)).__name__ == "InProcessSupervisorComms"


def comms_for_threads() -> Any:
    """Return this process's connection to Airflow's API; None where there is none that several threads can use.

    On Airflow 3.1 only one thread may ask at a time. ``airflow dags test`` has something else, without a lock.
    """
    from airflow import __version__
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CommsDecoder

    comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return comms if isinstance(comms, CommsDecoder) and not __version__.startswith("3.1.") else None


class StateStoreOfTask(Protocol):
    """One task's state, as the API server reads and writes it."""

    def get(self, key: str) -> Any:
        """Return the value, or None."""

    def set(self, key: str, value: Any) -> None:
        """Write the value."""


def state_store_on_server(session: Session, **task: Any) -> StateStoreOfTask | None:
    """Return what tasks know as ``context["task_state_store"]``, in the API server; None before Airflow 3.3.

    :param task: ``dag_id``, ``run_id``, ``task_id`` and ``map_index``
    """
    try:
        from airflow._shared.state import TaskScope
        from airflow.state import get_state_backend
    except ImportError:
        return None
    from airflow._shared.timezones import timezone
    from airflow.configuration import conf
    from pendulum import duration

    scope, backend = TaskScope(**task), get_state_backend()

    class Store:
        def get(self, key: str) -> Any:
            kept = backend.get(scope, key, session=session)
            return None if kept is None else json.loads(kept)

        def set(self, key: str, value: Any) -> None:
            # As long as what a task writes itself.
            days = conf.getint("state_store", "default_retention_days")
            expires_at = timezone.utcnow() + duration(days=days) if days else None
            backend.set(scope, key, json.dumps(value), expires_at=expires_at, session=session)

    return Store()


def set_xcom_on_server(session: Session, key: str, value: Any, **task: Any) -> None:
    """Set an XCom of a task as the task itself would, in the API server.

    :param task: ``dag_id``, ``run_id``, ``task_id`` and ``map_index``
    """
    from airflow.models.xcom import XComModel

    try:
        XComModel.set(key, value, serialize=False, session=session, **task)
    except TypeError:  # Airflow 3.1 writes JSON as text, and a task reads the text.
        XComModel.set(key, value, session=session, **task)
