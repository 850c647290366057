"""``python -m airflow_provider_twiliocall.simulator``: a Twilio on this machine until Ctrl-C."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the exit status."""
    options = command_line().parse_args(argv)
    # Before the slow imports, so that Ctrl-C is quiet at any moment.
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())
    try:
        from airflow_provider_twiliocall.simulator import PortInUseError, TwilioSimulator
    except ImportError as error:
        print(
            f"{error.name} is missing: pip install 'airflow-provider-twiliocall[simulator]'", file=sys.stderr
        )
        return 1

    try:
        simulator = TwilioSimulator(
            options.port,
            options.speed,
            options.calls_per_second,
            options.trial,
            numbers=options.own,
        )
        simulator.start()
    except (PortInUseError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"port {options.port} cannot be used: {error.strerror}", file=sys.stderr)
        return 1
    print(f"AIRFLOW_CONN_TWILIO_DEFAULT={shlex.quote(simulator.airflow_connection)}", flush=True)
    print(
        f"Twilio simulator on {simulator.url} at speed {simulator.clock.speed:g}; Ctrl-C ends it.",
        file=sys.stderr,
        flush=True,
    )
    stop.wait()
    simulator.stop()
    return 0


def command_line() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_twiliocall.simulator",
        description="A Twilio that runs on this machine and rings nobody.",
    )
    parser.add_argument("--port", type=_port, default=8010, help="0 for a free one (default: %(default)s)")
    parser.add_argument(
        "--speed",
        type=_positive,
        default=1.0,
        help="simulated seconds per real second (default: %(default)s)",
    )
    parser.add_argument(
        "--calls-per-second",
        type=_positive,
        default=1.0,
        metavar="N",
        help="calls that leave the queue per simulated second (default: %(default)s)",
    )
    parser.add_argument("--trial", action="store_true", help="a trial account with five verified numbers")
    parser.add_argument(
        "--own",
        action="append",
        default=[],
        metavar="NUMBER",
        help="another number that calls may come from; repeatable",
    )
    return parser


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _port(text: str) -> int:
    value = int(text) if text.isdecimal() else -1
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 65535")
    return value


if __name__ == "__main__":
    sys.exit(main())
