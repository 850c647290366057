"""Waiting for many calls in one triggerer process: ours beside what other providers and the official SDK lead to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from statistics import median, stdev

from rich.console import Console
from rich.table import Table

from benchmarks.bound import Bound
from benchmarks.waiting.measure import Waited
from benchmarks.waiting.peers import PEERS, POLL_INTERVAL_S
from benchmarks.waiting.picture import draw
from benchmarks.waiting.server import LONGEST_S, SHORTEST_S

SIZES = (1, 100, 1_000, 10_000)
ROUNDS = 3
# So few calls cost so little that the peers can wait side by side.
SIDE_BY_SIDE = 100

US, SDK = "us", "twilio SDK, one async client"
PICTURE = "docs/waiting.svg"

Measured = dict[tuple[int, str], list[Waited]]
"""What each round has measured, by number of calls and way."""


def run(console: Console) -> list[Bound]:
    """Measure, print the table, draw the picture, and return the bounds."""
    measured: Measured = {}
    for calls in SIZES:
        rounds = [_round(calls) for _ in range(ROUNDS)]
        for peer in PEERS:
            measured[calls, peer] = [each[peer] for each in rounds]
    medians = {which: _median(each) for which, each in measured.items()}
    console.print(_table(measured, medians))
    draw({peer: [(calls, medians[calls, peer].cpu_s) for calls in SIZES] for peer in PEERS}, PICTURE)
    console.print(f"Drawn: {PICTURE}")
    return _bounds(medians)


def _round(calls: int) -> dict[str, Waited]:
    at_once = len(PEERS) if calls <= SIDE_BY_SIDE else 1
    with ThreadPoolExecutor(at_once) as threads:
        return dict(zip(PEERS, threads.map(lambda peer: _waited(peer, calls), PEERS), strict=True))


def _waited(peer: str, calls: int) -> Waited:
    with _server() as url, tempfile.TemporaryDirectory(prefix="twiliocall-bench-") as home:
        finished = subprocess.run(
            [sys.executable, "-m", "benchmarks.waiting.measure", peer, url, str(calls)],
            env=os.environ | {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
    [result] = [line for line in finished.stdout.splitlines() if line.startswith('{"cpu_s"')]
    return Waited(**json.loads(result))


@contextmanager
def _server() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.waiting.server"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def _median(rounds: list[Waited]) -> Waited:
    return Waited(
        **{
            # One wait that is lost is one too many, in whatever round.
            field.name: (max if field.name == "lost" else median)(
                getattr(each, field.name) for each in rounds
            )
            for field in fields(Waited)
        }
    )


def _table(measured: Measured, medians: Mapping[tuple[int, str], Waited]) -> Table:
    table = Table(
        title=f"Waiting for calls that end after {SHORTEST_S:g} to {LONGEST_S:g} s, a look every "
        f"{POLL_INTERVAL_S:g} s, in one process with Airflow's triggerer loaded "
        f"(median of {ROUNDS} runs, ± standard deviation)"
    )
    for heading in ("calls", "way"):
        table.add_column(heading, no_wrap=True)
    for heading in ("CPU s", "requests", "KiB/call", "files", "threads", "late p50 s", "p95 s", "lost"):
        table.add_column(heading, justify="right")
    for (calls, peer), waited in medians.items():
        deviation = stdev(each.cpu_s for each in measured[calls, peer])
        table.add_row(
            f"{calls:,}",
            peer,
            f"{waited.cpu_s:.3f} ± {deviation:.3f}",
            f"{waited.requests:,.0f}",
            f"{waited.kib_per_call:.1f}",
            f"{waited.file_descriptors:.0f}",
            f"{waited.threads:.0f}",
            f"{waited.late_p50:.1f}",
            f"{waited.late_p95:.1f}",
            f"{waited.lost:.0f}",
            style="bold" if peer == US else None,
            end_section=peer == US,
        )
    return table


def _bounds(medians: Mapping[tuple[int, str], Waited]) -> list[Bound]:
    one, hundred, thousand, ten_thousand = (medians[calls, US] for calls in SIZES)
    sdk = {calls: medians[calls, SDK] for calls in SIZES}
    return [
        Bound("1 wait, requests", one.requests, sdk[1].requests),
        Bound("1 wait, threads more than the SDK", one.threads - sdk[1].threads, 3),
        Bound("1 wait, seconds later than the SDK (p50)", one.late_p50 - sdk[1].late_p50, 0.5),
        Bound("100 waits, requests", hundred.requests, 12),
        Bound("100 waits, lost", hundred.lost, 0),
        Bound("1,000 waits, CPU over the SDK's", thousand.cpu_s / sdk[1_000].cpu_s, 1 / 6),
        Bound("1,000 waits, requests", thousand.requests, 12),
        Bound("1,000 waits, file descriptors", thousand.file_descriptors, 50),
        Bound("1,000 waits, threads", thousand.threads, 20),
        Bound("10,000 waits, CPU over the SDK's", ten_thousand.cpu_s / sdk[10_000].cpu_s, 1 / 8),
        Bound("10,000 waits, requests", ten_thousand.requests, 80),
        Bound("10,000 waits, KiB per call", ten_thousand.kib_per_call, 8),
        Bound("10,000 waits, seconds late (p95)", ten_thousand.late_p95, 6),
    ]
