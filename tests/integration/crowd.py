"""A crowd of notifiers: ``python -m tests.integration.crowd NUMBERS PROCESSES NOTIFIERS_IN_EACH ENDING SLOWNESS``.

All of them begin at the same moment, and each calls the numbers, separated by commas, one after the other, by the
connection in the environment. The processes are forked, as those of Airflow's tasks are. Every second that a notifier
counts takes SLOWNESS seconds. ENDING of the processes end when their last notifier returns, as Airflow's do; the others
when the second looks are over too. The exit status says how many processes had a notifier that failed.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import sys
import threading
from multiprocessing.synchronize import Barrier
from threading import Thread

from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.notifications import (
    alert,
    alert_connection,
    alert_record,
    alert_run,
    cooldown,
    this_process,
)
from airflow_provider_twiliocall.notifications.threads import NAME
from airflow_provider_twiliocall.notifications.twilio_call import (
    TwilioCallNotificationError,
    TwilioCallNotifier,
)


def notify_at_once(numbers: list[str], how_many: int, waits: bool, start: Barrier) -> None:
    failures: list[Exception] = []

    def notify() -> None:
        for number in numbers:
            try:
                TwilioCallNotifier(to=number, message="The pipeline has failed.")({})
            except Exception as error:
                failures.append(error)

    threads = [Thread(target=notify) for _ in range(how_many)]
    start.wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if waits:
        for thread in threading.enumerate():
            if thread.name == NAME:
                thread.join()
    # Not by way of what Airflow does at the end of a process, which takes a while.
    os._exit(1 if failures else 0)


def warm_up() -> None:
    """Load what is loaded when it is needed: here it would be eight times over, at the worst moment."""
    next(TwilioCallHook().list_calls(page_size=1), None)
    with contextlib.suppress(TwilioCallNotificationError):
        TwilioCallNotifier(to="{{ 'nobody' }}")({})


def slow_down(slowness: float) -> None:
    """Stretch every wait, limit and budget of a notifier: all that is named in seconds."""
    for module in (cooldown, alert, alert_connection, alert_record, alert_run, this_process):
        for name, seconds in list(vars(module).items()):
            if name.endswith("_S"):
                setattr(module, name, seconds * slowness)


def main(numbers: list[str], processes: int, notifiers_in_each: int, ending: int, slowness: float) -> int:
    warm_up()
    slow_down(slowness)
    # As Airflow does before it forks: what is collected in the processes would be copied to each of them first.
    gc.freeze()
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(processes)
    crowd = [
        fork.Process(target=notify_at_once, args=(numbers, notifiers_in_each, each >= ending, start))
        for each in range(processes)
    ]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join()
    return sum(process.exitcode != 0 for process in crowd)


if __name__ == "__main__":
    callees, *counts, stretch = sys.argv[1:]
    sys.exit(main(callees.split(","), *map(int, counts), slowness=float(stretch)))
