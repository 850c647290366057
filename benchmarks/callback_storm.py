"""Alerts in a row, as Airflow runs the callbacks of one DAG file: in one process, which it ends after 50 s."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import requests
from rich.console import Console
from rich.table import Table

from benchmarks.bound import Bound
from benchmarks.placing import simulator

ALERTS = 100
ANSWER_S = 0.05
MOST_S = 20.0

# A call a second leaves Twilio's queue: the delivered default.
CALLS_PER_SECOND = 1.0

# Runs in a process of its own, as a child of the DAG processor does, and ends as that does.
_CALLBACKS = """
import os, sys, time
from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier

numbers = sys.argv[1:]
callbacks = [TwilioCallNotifier(to=number, message="The pipeline has failed.") for number in numbers]
start = time.perf_counter()
for callback in callbacks:
    callback({})
print(time.perf_counter() - start, flush=True)
os._exit(0)
"""


@dataclass(frozen=True)
class Storm:
    """What became of the alerts of one process.

    :param rung: how many numbers have a call that has left the queue, or will
    :param rings: how many such calls there are
    """

    seconds: float
    calls: int
    rung: int
    rings: int


def run(console: Console) -> list[Bound]:
    """Measure, print the table, and return the bounds."""
    numbers = [f"+1555123{number:04}" for number in range(ALERTS)]
    ways = {f"to {ALERTS} numbers": numbers, "to one number": numbers[:1] * ALERTS}
    storms = {way: _storm(callees) for way, callees in ways.items()}
    table = Table(
        title=f"{ALERTS} alerts in a row, from one process; Twilio answers in {ANSWER_S * 1000:g} ms"
    )
    table.add_column("alerts")
    for heading in ("s", "at most", "calls placed", "numbers rung", "rings"):
        table.add_column(heading, justify="right")
    for way, storm in storms.items():
        table.add_row(
            way, f"{storm.seconds:.1f}", f"{MOST_S:g}", str(storm.calls), str(storm.rung), str(storm.rings)
        )
    console.print(table)
    bounds: list[Bound] = []
    for way, storm in storms.items():
        bounds.append(Bound(f"{ALERTS} alerts in a row {way}, s", storm.seconds, MOST_S))
        bounds.append(Bound("numbers not rung by them", len(set(ways[way])) - storm.rung, 0))
        bounds.append(Bound("rings beyond one for each number", storm.rings - storm.rung, 0))
    return bounds


def _storm(numbers: list[str]) -> Storm:
    with (
        tempfile.TemporaryDirectory(prefix="twiliocall-bench-") as home,
        simulator(CALLS_PER_SECOND) as connection,
    ):
        host = json.loads(connection)["host"]
        _let_answers_take_their_time(host)
        finished = subprocess.run(
            [sys.executable, "-c", _CALLBACKS, *numbers],
            env={
                **os.environ,
                "AIRFLOW_HOME": home,
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW_CONN_TWILIO_DEFAULT": connection,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        calls = requests.get(f"{host}/simulator/calls", timeout=15).json()
    rung = [call["to"] for call in calls if call["start_time"] or call["status"] == "queued"]
    return Storm(float(finished.stdout.splitlines()[-1]), len(calls), len(set(rung)), len(rung))


def _let_answers_take_their_time(host: str) -> None:
    delay = {"kind": "delay", "seconds": ANSWER_S, "times": None}
    requests.post(f"{host}/simulator/faults", json=delay, timeout=15).raise_for_status()
