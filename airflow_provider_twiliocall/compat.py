"""What differs between Airflow 3.1, 3.2 and 3.3, and what Airflow does differently when it tests a DAG from the shell.

Two differences are elsewhere, because they need no version: the connection form is said in both ways that Airflow asks
for (``hooks/connection_form.py``), and a context without a task state store has no journal (``journal/store.py``).
"""

from __future__ import annotations

from typing import Any

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
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "comms_for_threads",
    "runs_triggers_in_line",
]


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
