"""``python -m benchmarks [name ...]``: measure, print the tables, and fail if a bound is missed."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable

from rich.console import Console

from benchmarks import callback_storm, import_cost, parse, placing, ring_once
from benchmarks.bound import Bound
from benchmarks.waiting import table as waiting

BENCHMARKS: dict[str, Callable[[Console], list[Bound]]] = {
    "callback_storm": callback_storm.run,
    "import_cost": import_cost.run,
    "parse": parse.run,
    "placing": placing.run,
    "ring_once": ring_once.run,
    "waiting": waiting.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"which of {', '.join(BENCHMARKS)} (default: all)")
    names = parser.parse_args().name or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"there is no {' or '.join(unknown)}, only {', '.join(BENCHMARKS)}")

    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}\n")
    bounds: list[Bound] = []
    for name in names:
        bounds += BENCHMARKS[name](console)
        console.print()
    for bound in bounds:
        console.print(str(bound))
    return 0 if all(bound.is_kept for bound in bounds) else 1


if __name__ == "__main__":
    sys.exit(main())
