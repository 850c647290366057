"""Programs that begin where a DAG file does: Airflow's names are loaded, and nothing of this package is.

One process loads Airflow, and each program runs in a fork of it: Airflow is loaded once, not once for each program.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import traceback
from functools import cache


def run(program: str, **environment: str) -> str:
    """Run a program, with these variables beside this process's, and return what it printed."""
    airflow = _process()
    assert airflow.stdin and airflow.stdout
    airflow.stdin.write(json.dumps([program, {**os.environ, **environment}]) + "\n")
    airflow.stdin.flush()
    status, printed = json.loads(airflow.stdout.readline())
    assert status == 0, printed
    return printed


@cache
def _process() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    # It ends when its standard input does.
    atexit.register(process.communicate)
    return process


def _serve() -> None:
    from airflow.providers.common.compat.sdk import conf  # noqa: F401
    from airflow.sdk import DAG, BaseNotifier, BaseOperator, BaseSensorOperator  # noqa: F401

    for line in sys.stdin:
        program, environment = json.loads(line)
        reading, writing = os.pipe()
        if child := os.fork():
            os.close(writing)
            with open(reading) as output:
                printed = output.read()
            _, status = os.waitpid(child, 0)
            print(json.dumps([status, printed]), flush=True)
        else:
            _run_in_fork(program, environment, writing)


def _run_in_fork(program: str, environment: dict[str, str], output: int) -> None:
    status = 1
    try:
        os.environ.clear()
        os.environ.update(environment)
        os.dup2(output, sys.stdout.fileno())
        os.dup2(output, sys.stderr.fileno())
        exec(program, {"__name__": "__main__"})
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
