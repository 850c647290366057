"""Threads that hold nobody up, and never more of them than allowed."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import wait

import pytest

from airflow_provider_twiliocall.notifications.threads import NAME, DaemonThreads, in_thread

LIMIT_S = 30.0


class NoMoreThreads(threading.Thread):
    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_there_are_never_more_threads_than_allowed_and_everything_is_done() -> None:
    everyone_may_go_on, four_are_here = threading.Event(), threading.Barrier(5)
    seen: set[str] = set()

    def work(number: int) -> int:
        if number < 4:
            four_are_here.wait(LIMIT_S)
        everyone_may_go_on.wait(LIMIT_S)
        seen.add(str(threading.get_ident()))
        return number

    threads = DaemonThreads(4)
    futures = [threads.submit(lambda number=number: work(number)) for number in range(20)]  # type: ignore[misc]
    four_are_here.wait(LIMIT_S)
    waiting = [future for future in futures if not future.running()]
    everyone_may_go_on.set()

    assert len(waiting) == 16
    assert [future.result(LIMIT_S) for future in futures] == list(range(20))
    assert len(seen) <= 4


def test_an_error_is_passed_on_and_the_next_work_is_done() -> None:
    threads = DaemonThreads(1)
    fails, works = threads.submit(lambda: [][1]), threads.submit(lambda: 7)
    assert isinstance(fails.exception(LIMIT_S), IndexError)
    assert works.result(LIMIT_S) == 7


def test_what_was_canceled_before_its_turn_is_not_done() -> None:
    go_on = threading.Event()
    threads = DaemonThreads(1)
    first = threads.submit(lambda: go_on.wait(LIMIT_S))
    done: list[str] = []
    second, third = (
        threads.submit(lambda: done.append("second")),
        threads.submit(lambda: done.append("third")),
    )
    assert second.cancel()
    go_on.set()
    wait([first, third], timeout=LIMIT_S)
    assert done == ["third"]


def test_when_the_system_has_no_more_threads_the_work_is_done_in_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading, "Thread", NoMoreThreads)
    assert in_thread(threading.get_ident).result(LIMIT_S) == threading.get_ident()


def test_when_the_system_has_no_more_threads_those_that_are_there_do_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = threading.Event()
    threads = DaemonThreads(2)
    first = threads.submit(lambda: go_on.wait(LIMIT_S) and threading.get_ident())
    monkeypatch.setattr(threading, "Thread", NoMoreThreads)
    second = threads.submit(threading.get_ident)
    assert not second.done()
    go_on.set()
    assert second.result(LIMIT_S) == first.result(LIMIT_S) != threading.get_ident()


def test_a_process_ends_without_waiting_for_them() -> None:
    program = (
        "import threading\n"
        "from airflow_provider_twiliocall.notifications.threads import DaemonThreads\n"
        "threads = DaemonThreads(1)\n"
        "[threads.submit(threading.Event().wait) for _ in range(3)]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=LIMIT_S)


def test_they_have_a_name_to_be_known_by() -> None:
    assert in_thread(lambda: threading.current_thread().name).result(LIMIT_S) == NAME
