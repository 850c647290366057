"""What the package knows about how Airflow runs a task."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.execution_time import supervisor, task_runner

from airflow_provider_twiliocall.compat import runs_triggers_in_line


def test_outside_of_airflow_no_trigger_runs_in_line() -> None:
    assert not runs_triggers_in_line()


def test_on_a_worker_no_trigger_runs_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    comms = task_runner.CommsDecoder
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object.__new__(comms), raising=False)
    assert not runs_triggers_in_line()


def test_where_airflow_tests_a_task_its_trigger_runs_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    comms = supervisor.InProcessSupervisorComms(supervisor=SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    assert runs_triggers_in_line()
