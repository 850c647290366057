"""What a DAG file with a thousand call tasks costs, from a fresh process to the serialized DAG."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.bound import Bound

TASKS = 1_000
ROUNDS = 5
MOST_TIMES_BASH = 1.3

US, BASH = "us: CreateCallOperator", "standard provider: BashOperator"
OPERATORS = {
    BASH: (
        "from airflow.providers.standard.operators.bash import BashOperator as Operator",
        "bash_command='echo {{ ds }}'",
    ),
    "http provider: HttpOperator": (
        "from airflow.providers.http.operators.http import HttpOperator as Operator",
        "endpoint='/calls', data={'to': '+15551230001'}",
    ),
    US: (
        "from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator as Operator",
        "to='+15551230001', from_='+15551230002', message='Order {{ run_id }} is late.'",
    ),
}

# Runs in an interpreter of its own, as a file is parsed in a process of its own.
_MEASURE = """
import json, time
start = time.perf_counter()
from airflow.sdk import DAG
{statement}
with DAG("calls") as dag:
    for number in range({tasks}):
        Operator(task_id=f"task_{{number}}", {arguments})
from airflow.serialization.serialized_objects import DagSerialization
DagSerialization.to_dict(dag)
print(json.dumps(time.perf_counter() - start))
"""


def run(console: Console) -> list[Bound]:
    """Measure, print the table, and return the bound."""
    seconds = _measure()
    table = Table(
        title=f"A DAG file with {TASKS:,} tasks: imports, parsing and serialization (median of {ROUNDS})"
    )
    table.add_column("operator")
    for heading in ("s", "times BashOperator", "at most"):
        table.add_column(heading, justify="right")
    for name, each in seconds.items():
        at_most = f"{MOST_TIMES_BASH:g}" if name == US else ""
        style = "bold" if name == US else None
        table.add_row(name, f"{each:.2f}", f"{each / seconds[BASH]:.2f}", at_most, style=style)
    console.print(table)
    return [
        Bound(
            f"DAG file with {TASKS} call tasks, times BashOperator",
            seconds[US] / seconds[BASH],
            MOST_TIMES_BASH,
        )
    ]


def _measure() -> dict[str, float]:
    runs: dict[str, list[float]] = {name: [] for name in OPERATORS}
    with tempfile.TemporaryDirectory(prefix="twiliocall-bench-") as home:
        for name in OPERATORS:
            # Not counted: it writes the bytecode and makes Airflow's home.
            _parse(name, home)
        for _ in range(ROUNDS):
            for name in OPERATORS:
                runs[name].append(_parse(name, home))
    return {name: median(each) for name, each in runs.items()}


def _parse(name: str, home: str) -> float:
    statement, arguments = OPERATORS[name]
    unwanted = ("AIRFLOW_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    settings = {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONPYCACHEPREFIX": f"{home}/bytecode"}
    finished = subprocess.run(
        [sys.executable, "-c", _MEASURE.format(statement=statement, arguments=arguments, tasks=TASKS)],
        env={**kept, **settings, "AIRFLOW_HOME": home},
        cwd=home,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(json.loads(finished.stdout.splitlines()[-1]))
