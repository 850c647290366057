"""How often a phone rings when Twilio takes a call and its answers are lost: ours beside what people use today.

One DAG for each way, run by Airflow itself (``airflow dags test``), against one simulator.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from benchmarks.bound import Bound

RETRIES = 2
LOST_ANSWERS = 2
RINGS_ASKED_FOR = 1

# DAG id to what the table calls it, ours last.
WAYS = {
    "http_operator": "http provider, HttpOperator",
    "sdk": "twilio SDK in a @task",
    "async_sdk": "twilio SDK, async client with max_retries=3, in a @task",
    "ours": "CreateCallOperator",
}

DAGS = f"""
import asyncio
import os
from datetime import timedelta

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG, task
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

URL, ACCOUNT, TOKEN, FROM = (os.environ[f"BENCH_{{name}}"] for name in ("URL", "ACCOUNT", "TOKEN", "FROM"))
TO, TWIML = "+15005550006", "<Response><Say>bench</Say></Response>"
RETRYING = {{"retries": {RETRIES}, "retry_delay": timedelta(0)}}


class _ToSimulator:
    def request(self, method, url, *args, **kwargs):
        return super().request(method, url.replace("https://api.twilio.com", URL), *args, **kwargs)


class SimulatorClient(_ToSimulator, TwilioHttpClient):
    pass


class AsyncSimulatorClient(_ToSimulator, AsyncTwilioHttpClient):
    pass


with DAG("http_operator", schedule=None):
    HttpOperator(
        task_id="ring",
        http_conn_id="twilio_http",
        endpoint=f"/2010-04-01/Accounts/{{ACCOUNT}}/Calls.json",
        data={{"To": TO, "From": FROM, "Twiml": TWIML}},
        **RETRYING,
    )

with DAG("sdk", schedule=None):

    @task(**RETRYING)
    def ring():
        client = Client(ACCOUNT, TOKEN, http_client=SimulatorClient())
        return client.calls.create(to=TO, from_=FROM, twiml=TWIML).sid

    ring()

with DAG("async_sdk", schedule=None):

    @task(**RETRYING)
    def ring():
        async def create():
            async with AsyncSimulatorClient(max_retries=3) as http_client:
                client = Client(ACCOUNT, TOKEN, http_client=http_client)
                return (await client.calls.create_async(to=TO, from_=FROM, twiml=TWIML)).sid

        return asyncio.run(create())

    ring()

with DAG("ours", schedule=None):
    CreateCallOperator(task_id="ring", to=TO, twiml=TWIML, **RETRYING)
"""


@dataclass(frozen=True)
class Run:
    """What became of one way's task."""

    rings: int
    state: str
    tries: int
    seconds: float


def run(console: Console) -> list[Bound]:
    """Run the DAGs one after the other, print the table, and return the bound."""
    with tempfile.TemporaryDirectory(prefix="twiliocall-bench-") as home, TwilioSimulator() as simulator:
        environment = _environment(Path(home), simulator)
        _airflow(environment, "db", "migrate")
        runs = {dag_id: _run(dag_id, simulator, environment) for dag_id in WAYS}
    table = Table(
        title=f"Twilio takes a call, and {LOST_ANSWERS} answers are lost (one task, retries={RETRIES})"
    )
    table.add_column("way")
    for heading in ("rings", "task", "tries", "s"):
        table.add_column(heading, justify="right")
    for dag_id, way in WAYS.items():
        ran = runs[dag_id]
        style = "bold" if dag_id == "ours" else None
        table.add_row(way, str(ran.rings), ran.state, str(ran.tries), f"{ran.seconds:.0f}", style=style)
    console.print(table)
    # A phone that never rang would keep the upper bound: both of them say "exactly once".
    rings = runs["ours"].rings
    return [
        Bound(f"rings of one call whose answer was lost {LOST_ANSWERS} times", rings, RINGS_ASKED_FOR),
        Bound("rings missing from it", RINGS_ASKED_FOR - rings, 0),
    ]


def _run(dag_id: str, simulator: TwilioSimulator, environment: Mapping[str, str]) -> Run:
    simulator.reset()
    lost = Fault(kind="drop", after=True, operations={"create"}, times=LOST_ANSWERS)  # type: ignore[arg-type]
    simulator.inject(lost)
    started = time.monotonic()
    _airflow(environment, "dags", "test", dag_id, may_fail=True)
    seconds = time.monotonic() - started
    database = Path(environment["AIRFLOW_HOME"]) / "airflow.db"
    with sqlite3.connect(database) as connection:
        [(state, tries)] = connection.execute(
            "select state, try_number from task_instance where dag_id = ?", [dag_id]
        )
    return Run(len(simulator.calls), state, tries, seconds)


def _environment(home: Path, simulator: TwilioSimulator) -> dict[str, str]:
    dags = home / "dags"
    dags.mkdir()
    (dags / "ways_to_ring.py").write_text(DAGS)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    over_http = {
        "conn_type": "http",
        "host": simulator.url,
        "login": simulator.account_sid,
        "password": simulator.auth_token,
    }
    return {
        **inherited,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_TWILIO_DEFAULT": simulator.airflow_connection,
        "AIRFLOW_CONN_TWILIO_HTTP": json.dumps(over_http),
        "BENCH_URL": simulator.url,
        "BENCH_ACCOUNT": simulator.account_sid,
        "BENCH_TOKEN": simulator.auth_token,
        "BENCH_FROM": simulator.from_number,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def _airflow(environment: Mapping[str, str], *command: str, may_fail: bool = False) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *command],
        cwd=environment["AIRFLOW_HOME"],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode and not may_fail:
        raise RuntimeError(f"airflow {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
