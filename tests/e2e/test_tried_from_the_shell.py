"""`airflow dags test` and `airflow tasks test` of deferrable tasks, with a connection made in Airflow's UI.

These commands run triggers in their own process, where such a connection is not found.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator

COMMAND_LIMIT_S = 150.0
CONNECTION = "made_in_the_ui"
DAG_FILE = f'''
from airflow.sdk import DAG

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.sensors.twilio_call import TwilioCallSensor

call = {{"to": "+15005551001", "message": "hello", "twilio_conn_id": "{CONNECTION}"}}

with DAG("tried", schedule=None):
    ring = CreateCallOperator(
        task_id="ring", **call, wait_for_completion=True, deferrable=True, poll_interval=1
    )
    place = CreateCallOperator(task_id="place", **call)
    wait = TwilioCallSensor(
        task_id="wait", call_sid=place.output, twilio_conn_id="{CONNECTION}", deferrable=True, poke_interval=1
    )
    ring >> place >> wait
'''


class Shell:
    """Airflow's commands, with a database of their own: beside a scheduler, `dags test` would run all things twice."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW"))
        } | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }

    def airflow(self, *arguments: str) -> str:
        finished = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            cwd=self._home,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout
        return finished.stdout


@pytest.fixture(scope="module")
def simulator() -> Iterator[TwilioSimulator]:
    with TwilioSimulator(speed=8.0) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def shell(simulator: TwilioSimulator, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    home = tmp_path_factory.mktemp("shell")
    (home / "dags").mkdir()
    (home / "dags" / "tried.py").write_text(DAG_FILE)
    shell = Shell(home)
    shell.airflow("db", "migrate")
    shell.airflow("connections", "add", CONNECTION, "--conn-json", simulator.airflow_connection)
    shell.airflow("dags", "reserialize")
    return shell


def test_a_dag_that_is_tried_waits_for_its_calls(shell: Shell, simulator: TwilioSimulator) -> None:
    assert "state=success" in shell.airflow("dags", "test", "tried")
    assert [call["status"] for call in simulator.calls] == ["completed", "completed"]


def test_a_task_that_is_tried_waits_for_its_call(shell: Shell, simulator: TwilioSimulator) -> None:
    before = len(simulator.calls)
    said = shell.airflow("tasks", "test", "tried", "ring")
    (call,) = simulator.calls[before:]
    assert call["status"] == "completed"
    assert f"Call {call['sid']} was completed" in said
