"""What the package knows about how Airflow runs a task."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.execution_time import supervisor, task_runner

from airflow_provider_twiliocall.compat import keeps_task_state, runs_triggers_in_line


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


@pytest.mark.parametrize(("version", "keeps"), [("3.2.1", False), ("3.3.0", True), ("3.10.0rc1", True)])
def test_airflow_keeps_something_for_a_task_from_3_3_on(
    monkeypatch: pytest.MonkeyPatch, version: str, keeps: bool
) -> None:
    monkeypatch.setattr("airflow.__version__", version)
    assert keeps_task_state() is keeps
