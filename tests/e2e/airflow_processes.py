"""Airflow as it runs in earnest: its processes on free ports, each of which can be stopped, killed and started."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from tests.e2e.airflow_rest import AirflowRest, Run
from tests.e2e.worker import Worker, find_worker
from tests.support.waiting import free_ports, wait_until

__all__ = ["QUICK_TO_NOTICE", "Airflow", "Run", "wait_until"]

START_LIMIT_S = 180.0
STOP_LIMIT_S = 15.0
WORKER_LIMIT_S = 30.0
LOG_TAIL = 4000

API_SERVER, SCHEDULER, DAG_PROCESSOR, TRIGGERER = "api-server", "scheduler", "dag-processor", "triggerer"

# A dead worker is noticed within 12 + 2 s, a dead triggerer within 10 + 2 s; as delivered it is 300 and 30 s.
QUICK_TO_NOTICE = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "12",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}


class Airflow:
    """Scheduler, DAG processor, triggerers and API server, each in a process group of its own; a context manager.

    :param dags: the DAG files
    :param environment: further variables, connections and :data:`QUICK_TO_NOTICE` say; also to be changed in
        ``self.environment``, for the processes started from then on
    :param database: what SQLAlchemy connects to; unset: SQLite
    :param triggerers: how many; they are named ``triggerer``, ``triggerer-2`` and so on
    :param parallelism: how many tasks run at once
    """

    def __init__(
        self,
        dags: Iterable[Path],
        environment: Mapping[str, str],
        *,
        database: str | None = None,
        triggerers: int = 1,
        parallelism: int = 4,
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="twiliocall-e2e-"))
        (self.home / "dags").mkdir()
        for dag in dags:
            shutil.copy(dag, self.home / "dags")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.triggerers = [TRIGGERER, *(f"{TRIGGERER}-{number}" for number in range(2, triggerers + 1))]
        self._api_port, worker_logs, *trigger_logs = free_ports(2 + triggerers)
        self._trigger_log_ports = dict(zip(self.triggerers, trigger_logs, strict=True))
        self.url = f"http://127.0.0.1:{self._api_port}"
        self.rest = AirflowRest(self.url)
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW_", "_AIRFLOW")) and not name.lower().endswith("_proxy")
        }
        self.environment |= {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": str(parallelism),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            # The files stay as they are: read once, and again when there is a callback to run.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "86400",
            # Enough for all who ask at once: another connection takes longer than what most of them ask for.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "20",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database or f"sqlite:///{self.home}/airflow.db",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            **environment,
        }

    def __enter__(self) -> Airflow:
        try:
            self.start("db", "migrate")
            if self._processes.pop("db").wait(START_LIMIT_S):
                raise RuntimeError("airflow db migrate did not succeed")
            for name in (API_SERVER, SCHEDULER, DAG_PROCESSOR, *self.triggerers):
                self.start(name)
            self.wait_until_healthy()
        except BaseException:
            print(self.logs())
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Runs

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self.rest.get(path, **query)

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> Run:
        """Start a run of a DAG, once Airflow knows it."""
        return self.rest.trigger(dag_id, conf)

    # Processes

    def start(self, name: str, *arguments: str) -> None:
        """Start a process: ``api-server``, ``scheduler``, ``dag-processor``, ``triggerer``, ``triggerer-2`` …"""
        if name in self._processes:
            raise RuntimeError(f"{name} was started already")
        if name == API_SERVER:
            arguments = ("--host", "127.0.0.1", "--port", str(self._api_port), "--workers", "1")
        # A job of Airflow's shows the user it runs as: that tells one triggerer from another.
        environment = {**self.environment, "LOGNAME": name}
        if name in self._trigger_log_ports:
            environment["AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT"] = str(self._trigger_log_ports[name])
        with (self.home / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", *self.command(name), *arguments],
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def command(self, name: str) -> list[str]:
        """Which of Airflow's commands a process runs."""
        return [TRIGGERER if name in self.triggerers else name]

    def stop(self, *names: str) -> None:
        """End processes by SIGTERM to each, as a platform does that starts them again; what stays is killed.

        A scheduler waits for its running tasks first.
        """
        for name in names:
            self._processes[name].terminate()
        self._end(names, STOP_LIMIT_S)

    def kill(self, *names: str) -> None:
        """SIGKILL processes with all they have started, a scheduler's workers say."""
        self._end(names, 0.0)

    def restart(self, name: str) -> None:
        """Stop a process, start it again, and return once Airflow is whole."""
        self.stop(name)
        self.start(name)
        self.wait_until_healthy()

    @contextmanager
    def suspended(self, *names: str) -> Iterator[None]:
        """Stop processes with all they have started by SIGSTOP: they hang, and go on afterwards.

        The API server then accepts connections and does not answer; a triggerer's triggers are taken over
        by another one, and when it goes on it must notice.
        """
        frozen = [each for name in names for each in _family_of(self._processes[name].pid)]
        for each in frozen:
            with suppress(psutil.NoSuchProcess):
                each.suspend()
        try:
            yield
        finally:
            for each in reversed(frozen):
                with suppress(psutil.NoSuchProcess):
                    each.resume()

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """Stop processes, and start them again afterwards. Connections to the API server are then refused."""
        self.stop(*names)
        try:
            yield
        finally:
            for name in names:
                self.start(name)
            self.wait_until_healthy()

    def worker_of(self, run: Run, task_id: str, map_index: int = -1) -> Worker:
        """The processes that run a task, once there are some; the task must be running, or about to."""

        def find() -> Worker | None:
            task_instance_id = run.task(task_id, map_index)["id"]
            return find_worker(self._processes[SCHEDULER].pid, task_instance_id)

        found: Worker = wait_until(find, f"a worker to run {task_id}", WORKER_LIMIT_S)
        return found

    def wait_until_healthy(self) -> None:
        """Return once every process that was started is there, and Airflow knows of it."""
        wait_until(self._is_healthy, "Airflow to be healthy", START_LIMIT_S)

    def logs(self) -> str:
        """The end of what each process has said."""
        tails = [
            f"{log.name}:\n{log.read_text(errors='replace')[-LOG_TAIL:]}" for log in self.home.glob("*.log")
        ]
        return "\n\n".join(tails)

    def close(self) -> None:
        """End all processes, with all they have started, and remove the home."""
        for process in self._processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        self._end(self._processes, STOP_LIMIT_S)
        self.rest.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def _end(self, names: Iterable[str], limit: float) -> None:
        ending = [self._processes.pop(name) for name in list(names)]
        # The scheduler's workers have groups of their own, and one in the middle of a task outlives it.
        family = [each for process in ending for each in _family_of(process.pid)]
        deadline = time.monotonic() + limit
        for process in ending:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        for process in ending:
            process.wait()

    def _is_healthy(self) -> bool:
        dead = [name for name, process in self._processes.items() if process.poll() is not None]
        if dead:
            raise RuntimeError(f"{' and '.join(dead)} ended early")
        here = {name for name in self.triggerers if name in self._processes}
        return self.rest.is_healthy() and here <= self.rest.alive_triggerers()


def _family_of(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    return []
