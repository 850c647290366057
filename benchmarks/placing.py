"""What our hook adds to placing a call, beside a bare ``requests.Session.post`` of the same form."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import requests
from rich.console import Console
from rich.table import Table

from benchmarks.bound import Bound

CALLS = 200
ROUNDS = 9
MOST_TIMES_BARE = 1.15

CONN_ID = "twilio_bench"
_SIMULATOR = "airflow_provider_twiliocall.simulator"
CALL = {"to": "+15005550006", "twiml": "<Response><Say>bench</Say></Response>", "timeout": 30}


def run(console: Console) -> list[Bound]:
    """Measure, print the table, and return the bound."""
    with tempfile.TemporaryDirectory(prefix="twiliocall-bench-") as home, simulator(1_000_000) as connection:
        # Airflow reads these when it is first imported, which is in _through_the_hook.
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            f"AIRFLOW_CONN_{CONN_ID.upper()}": connection,
        }
        bare, hook = _measure(connection)
    ratio = median(ours / theirs for ours, theirs in zip(hook, bare, strict=True))
    table = Table(title=f"Placing {CALLS} calls, one after the other (median of {ROUNDS} interleaved rounds)")
    table.add_column("way")
    for heading in ("s", "ms per call", "times bare", "at most"):
        table.add_column(heading, justify="right")
    table.add_row(
        "requests.Session.post, bare", f"{median(bare):.3f}", f"{median(bare) / CALLS * 1000:.2f}", "1"
    )
    table.add_row(
        "TwilioCallHook.create_call",
        f"{median(hook):.3f}",
        f"{median(hook) / CALLS * 1000:.2f}",
        f"{ratio:.3f}",
        f"{MOST_TIMES_BARE:g}",
        style="bold",
    )
    console.print(table)
    return [Bound(f"placing {CALLS} calls through one hook, times bare requests", ratio, MOST_TIMES_BARE)]


def _measure(connection: str) -> tuple[list[float], list[float]]:
    bare_post, reset = _bare(connection)
    hook_post = _through_the_hook()
    bare: list[float] = []
    hook: list[float] = []
    for each in (bare_post, hook_post):
        # Not counted: connections are made, code is loaded.
        _seconds_for(each, calls=20)
    for number in range(ROUNDS):
        turns = [(bare_post, bare), (hook_post, hook)]
        for post, seconds in turns if number % 2 else reversed(turns):
            reset()
            seconds.append(_seconds_for(post, calls=CALLS))
    return bare, hook


def _seconds_for(post: Callable[[], None], *, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        post()
    return time.perf_counter() - start


def _through_the_hook() -> Callable[[], None]:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

    hook = TwilioCallHook(CONN_ID)

    def post() -> None:
        # Checking the parameters belongs to it: nobody places a call without.
        hook.create_call(CreateCallParams(**CALL))

    return post


def _bare(connection: str) -> tuple[Callable[[], None], Callable[[], None]]:
    from airflow.sdk import Connection

    known = Connection.from_json(connection, conn_id=CONN_ID)
    session = requests.Session()
    session.auth = (known.login or "", known.password or "")
    url = f"{known.host}/2010-04-01/Accounts/{known.login}/Calls.json"
    form = [
        ("To", CALL["to"]),
        ("From", known.extra_dejson["from"]),
        ("Twiml", CALL["twiml"]),
        ("Timeout", str(CALL["timeout"])),
    ]

    def post() -> None:
        answer = session.post(url, data=form, timeout=(5, 15))
        assert answer.status_code == 201, answer.text

    def reset() -> None:
        session.post(f"{known.host}/simulator/reset", timeout=(5, 15)).raise_for_status()

    return post, reset


@contextmanager
def simulator(calls_per_second: float) -> Iterator[str]:
    """Run a simulator in a process of its own; the connection to it, as JSON."""
    process = subprocess.Popen(
        [sys.executable, "-m", _SIMULATOR, "--port", "0", "--calls-per-second", str(calls_per_second)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        [assignment] = shlex.split(process.stdout.readline())
        yield assignment.partition("=")[2]
    finally:
        process.terminate()
        process.wait()
