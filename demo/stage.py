"""Where the demonstration happens: a temporary directory and processes, of which nothing is left afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

EXAMPLE_DAGS = Path(__file__).resolve().parent.parent / "example_dags"
LIMIT_S = 170.0
POLL_S = 0.1
STOP_S = 5.0

_started = time.monotonic()
_interrupted = threading.Event()


class Failure(Exception):
    """Something is not as it should be; the second argument is the log that may tell why."""


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


class Stage:
    """The temporary directory and the processes of one demonstration."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="twiliocall-demo-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        dropped = ("AIRFLOW_", "_AIRFLOW")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        self.environment |= {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLE_DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def database(self, name: str) -> Path:
        """Where a database lies: each DAG has its own, since SQLite bears one writer at a time."""
        return self.home / f"{name}.db"

    def log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def start(self, name: str, *command: str, database: str = "airflow") -> subprocess.Popen[bytes]:
        """Start a Python module in a process group of its own; what it says goes to its log."""
        environment = self.environment | {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database(database)}"
        }
        with self.log(name).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def clear(self) -> None:
        """End every process, with all it has started, and remove the directory."""
        running = [process for process in self._processes if process.poll() is None]
        for process in running:
            os.killpg(process.pid, signal.SIGTERM)
        limit = time.monotonic() + STOP_S
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, limit - time.monotonic()))
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def watch_for_signals() -> None:
    """Have :func:`until` raise after Ctrl-C and its like, and nothing else: no step is torn in two."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: _interrupted.set())


def elapsed() -> float:
    """Seconds since the beginning."""
    return time.monotonic() - _started


def until(condition: Callable[[], bool], what: str, log: Path) -> Iterator[None]:
    """Yield between two looks at a condition until it holds."""
    while not condition():
        yield
        if _interrupted.wait(POLL_S):
            raise Interrupted
        if elapsed() > LIMIT_S:
            raise Failure(f"{what} did not end within {LIMIT_S:.0f} s.", log)
