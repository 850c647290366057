"""What differs from one Airflow to the next, or from one way of running a task to another."""

from __future__ import annotations


def runs_triggers_in_line() -> bool:
    """Whether a task that defers now would have its trigger run in this process.

    ``airflow tasks test`` and ``airflow dags test`` do that, without the metadata database's connections: the trigger
    finds those of the environment and of a secrets backend alone. Seen on Airflow 3.1, 3.2 and 3.3.
    """
    from airflow.sdk.execution_time import task_runner

    return type(getattr(task_runner, "SUPERVISOR_COMMS", None)).__name__ == "InProcessSupervisorComms"
