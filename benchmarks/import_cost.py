"""What a DAG file pays at every parse for importing our operator, sensor and notifier, beside what peers cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.bound import Bound

ROUNDS = 7
MOST_MS = 15.0
MOST_MODULES = 20

US = "us: operator + sensor + notifier"
IMPORTS: dict[str, str] = {
    "standard provider: bash operator + sensor": (
        "import airflow.providers.standard.operators.bash, airflow.providers.standard.sensors.bash"
    ),
    "requests": "import requests",
    "twilio SDK: Client(...).calls": (
        "from twilio.rest import Client; Client('AC' + 32 * '0', 'token').calls"
    ),
    "http provider: operator + sensor": (
        "import airflow.providers.http.operators.http, airflow.providers.http.sensors.http"
    ),
    "pagerduty provider: notifier": "import airflow.providers.pagerduty.notifications.pagerduty",
    US: (
        "import airflow_provider_twiliocall.operators.twilio_call, "
        "airflow_provider_twiliocall.sensors.twilio_call, "
        "airflow_provider_twiliocall.notifications.twilio_call"
    ),
}

# Runs in an interpreter of its own. What every DAG file has loaded anyway comes before the clock starts.
_MEASURE = """
import json, sys, time
import airflow.sdk
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator
before = set(sys.modules)
start = time.perf_counter()
{statement}
seconds = time.perf_counter() - start
print(json.dumps({{"ms": seconds * 1000, "modules": len(set(sys.modules) - before)}}))
"""


@dataclass(frozen=True)
class Cost:
    """What an import adds to ``airflow.sdk``."""

    ms: float
    modules: int


def run(console: Console) -> list[Bound]:
    """Measure, print the table, and return the bounds."""
    costs = _measure()
    table = Table(title=f"Import cost on top of airflow.sdk (median of {ROUNDS} fresh interpreters)")
    table.add_column("import")
    for heading in ("ms", "at most", "modules", "at most"):
        table.add_column(heading, justify="right")
    for name, cost in costs.items():
        bounds = (f"{MOST_MS:g}", str(MOST_MODULES)) if name == US else ("", "")
        table.add_row(
            name,
            f"{cost.ms:.1f}",
            bounds[0],
            str(cost.modules),
            bounds[1],
            style="bold" if name == US else None,
        )
    console.print(table)
    return [
        Bound("import cost of operator + sensor + notifier, ms", costs[US].ms, MOST_MS),
        Bound("import cost of operator + sensor + notifier, modules", costs[US].modules, MOST_MODULES),
    ]


def _measure() -> dict[str, Cost]:
    runs: dict[str, list[Cost]] = {name: [] for name in IMPORTS}
    with tempfile.TemporaryDirectory(prefix="twiliocall-bench-") as home:
        for statement in IMPORTS.values():
            # Not counted: it writes the bytecode and reads the files from disk.
            _import(statement, home)
        for _ in range(ROUNDS):
            for name, statement in IMPORTS.items():
                runs[name].append(_import(statement, home))
    return {
        name: Cost(median(cost.ms for cost in costs), round(median(cost.modules for cost in costs)))
        for name, costs in runs.items()
    }


def _import(statement: str, home: str) -> Cost:
    # Bytecode is kept for all of them alike, whatever this environment says, and leaves with the home.
    unwanted = ("AIRFLOW_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    settings = {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONPYCACHEPREFIX": f"{home}/bytecode"}
    finished = subprocess.run(
        [sys.executable, "-c", _MEASURE.format(statement=statement)],
        env={**kept, **settings, "AIRFLOW_HOME": home},
        cwd=home,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Cost(**json.loads(finished.stdout.splitlines()[-1]))
