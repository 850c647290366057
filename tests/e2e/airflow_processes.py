"""Airflow as it runs in earnest: its four processes, on SQLite and free ports, and its REST API."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import requests

START_LIMIT_S = 180.0
STOP_LIMIT_S = 15.0
REQUEST_LIMIT_S = 60.0
LOOK_AGAIN_S = 0.5
LOG_TAIL = 4000

PROCESSES = ("api-server", "scheduler", "dag-processor", "triggerer")
OVER = ("success", "failed")


def wait_until(condition: Callable[[], Any], what: str, limit: float) -> Any:
    """Return what a condition gives once it is true.

    :raises TimeoutError: it was not within ``limit`` seconds
    """
    deadline = time.monotonic() + limit
    never = threading.Event()
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {limit:.0f} s in vain for {what}")
        never.wait(LOOK_AGAIN_S)
    return result


class Run:
    """A run of a DAG, seen through the REST API."""

    def __init__(self, airflow: Airflow, dag_id: str, run_id: str) -> None:
        self._airflow = airflow
        self.dag_id = dag_id
        self._path = f"dags/{dag_id}/dagRuns/{run_id}"

    @property
    def state(self) -> str:
        return str(self._airflow.get(self._path)["state"])

    def task(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """A task instance; its latest try."""
        mapped = f"/{map_index}" if map_index >= 0 else ""
        return self._airflow.get(f"{self._path}/taskInstances/{task_id}{mapped}")

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """The value of an XCom."""
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self._airflow.get(path, map_index=map_index, deserialize="true")["value"]

    def log(self, task_id: str, try_number: int = 1) -> str:
        """What a try of a task has logged, as the UI shows it."""
        path = f"{self._path}/taskInstances/{task_id}/logs/{try_number}"
        content = self._airflow.get(path, full_content="true")["content"]
        return "\n".join(str(line) for line in content)

    def mark_failed(self, task_id: str) -> None:
        """Mark a task as failed, as the UI does it."""
        self._airflow.call("PATCH", f"{self._path}/taskInstances/{task_id}", json={"new_state": "failed"})

    def wait(self, limit: float) -> Run:
        """Return once the run is over."""
        wait_until(lambda: self.state in OVER, f"the end of {self.dag_id}", limit)
        return self

    def wait_for_task(self, task_id: str, state: str, limit: float) -> None:
        """Return once a task is in a state."""
        wait_until(lambda: self.task(task_id)["state"] == state, f"{task_id} to be {state}", limit)


class Airflow:
    """Scheduler, DAG processor, triggerer and API server, each in a process group of its own; a context manager.

    :param dags: the DAG files
    :param environment: further variables, connections say
    """

    def __init__(self, dags: Iterable[Path], environment: Mapping[str, str]) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="twiliocall-e2e-"))
        (self.home / "dags").mkdir()
        for dag in dags:
            shutil.copy(dag, self.home / "dags")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        api, worker_logs, trigger_logs = _free_ports(3)
        self._url = f"http://127.0.0.1:{api}"
        self._api_port = api
        self._http = requests.Session()
        self._http.trust_env = False
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW_", "_AIRFLOW")) and not name.lower().endswith("_proxy")
        }
        self._environment |= {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self._url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self._url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            **environment,
        }

    def __enter__(self) -> Airflow:
        try:
            migration = self._start("db", "migrate")
            if migration.wait(START_LIMIT_S):
                raise RuntimeError("airflow db migrate did not succeed")
            self._start("api-server", "--host", "127.0.0.1", "--port", str(self._api_port), "--workers", "1")
            for name in PROCESSES[1:]:
                self._start(name)
            wait_until(self._is_healthy, "Airflow to be healthy", START_LIMIT_S)
        except BaseException:
            print(self.logs())
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self.call("GET", path, params=query)

    def call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Send a request to the REST API; return the JSON of its answer."""
        url = f"{self._url}/api/v2/{path}"
        headers = {"Accept": "application/json"}
        answer = self._http.request(method, url, headers=headers, timeout=REQUEST_LIMIT_S, **more)
        if not answer.ok:
            raise RuntimeError(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        result: dict[str, Any] = answer.json()
        return result

    def trigger(self, dag_id: str) -> Run:
        """Start a run of a DAG, once Airflow knows it."""
        wait_until(lambda: self._knows(dag_id), f"the DAG {dag_id}", START_LIMIT_S)
        run = self.call("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None})
        return Run(self, dag_id, run["dag_run_id"])

    def logs(self) -> str:
        """The end of what each process has said."""
        tails = [
            f"{log.name}:\n{log.read_text(errors='replace')[-LOG_TAIL:]}" for log in self.home.glob("*.log")
        ]
        return "\n\n".join(tails)

    def stop(self) -> None:
        """End all processes, with all they have started, and remove the home."""
        # The scheduler's workers have groups of their own, and one in the middle of a task outlives it.
        started = [child for process in self._processes.values() for child in _children_of(process.pid)]
        for process in self._processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_LIMIT_S
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for child in started:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self._http.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", name, *arguments],
                cwd=self.home,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._processes[name]

    def _is_healthy(self) -> bool:
        dead = [name for name in PROCESSES if self._processes[name].poll() is not None]
        if dead:
            raise RuntimeError(f"{' and '.join(dead)} ended early")
        try:
            health = self.get("monitor/health")
        except (requests.RequestException, RuntimeError):
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all(health[part]["status"] == "healthy" for part in parts)

    def _knows(self, dag_id: str) -> bool:
        broken = self.get("importErrors")["import_errors"]
        if broken:
            raise RuntimeError(f"a DAG file cannot be imported: {broken}")
        return any(dag["dag_id"] == dag_id for dag in self.get("dags", limit=100)["dags"])


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses; found together, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _children_of(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []
