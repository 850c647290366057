"""Airflow on a cluster, on one machine: CeleryExecutor with two workers, two triggerers, Redis and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.e2e.airflow_processes import QUICK_TO_NOTICE, Airflow

WORKERS = ("worker-1", "worker-2")
CONCURRENCY = 4

# What a dead worker had fetched and not begun is queued again after so long; as delivered after ten minutes.
QUICK_TO_QUEUE_AGAIN = {
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "10",
}


class Cluster(Airflow):
    """Airflow whose tasks run in Celery's workers, each in a process group of its own.

    :param database: PostgreSQL, as SQLAlchemy connects to it
    :param broker: Redis, as Celery does
    """

    def __init__(
        self, dags: Iterable[Path], environment: Mapping[str, str], *, database: str, broker: str
    ) -> None:
        celery = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(CONCURRENCY),
        }
        super().__init__(
            dags,
            {**celery, **QUICK_TO_NOTICE, **QUICK_TO_QUEUE_AGAIN, **environment},
            database=database,
            triggerers=2,
            parallelism=1_000,
        )

    def __enter__(self) -> Cluster:
        super().__enter__()
        for name in WORKERS:
            self.start(name)
        return self

    def command(self, name: str) -> list[str]:
        """Which of Airflow's commands a process runs."""
        if name not in WORKERS:
            return super().command(name)
        # Both would serve logs on the same port, and write the same file with their process id.
        apart = [
            "--celery-hostname",
            f"{name}@%h",
            "--pid",
            str(self.home / f"{name}.pid"),
            "--skip-serve-logs",
        ]
        return ["celery", "worker", *apart]
