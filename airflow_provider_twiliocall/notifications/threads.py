"""Threads in which alerts do their work. Neither the caller nor a process that ends waits for them."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

NAME = "twilio-alert"


def in_thread(work: Callable[[], Result]) -> Future[Result]:
    """Do something in a daemon thread of its own: Python waits for the threads of an executor when it exits."""
    return DaemonThreads(1).submit(work)


class DaemonThreads:
    """Daemon threads, never more than so many at once; further work waits for its turn.

    :param most: how many threads. None of them stays when there is nothing to do
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._running = 0
        self._waiting: deque[tuple[Future[Any], Callable[[], None]]] = deque()

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Do something as soon as there is a thread for it; at once, in this thread, where the system has no more."""
        future: Future[Result] = Future()
        # The triggerer finds the log that a line belongs to by the context.
        context = contextvars.copy_context()
        with self._lock:
            self._waiting.append((future, lambda: _settle(future, lambda: context.run(work))))
            if self._running == self.most:
                return future
            self._running += 1
        try:
            threading.Thread(target=self._work, name=NAME, daemon=True).start()
        except RuntimeError:  # the system has no more of them
            self._do_without_another_thread()
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                future, run = self._waiting.popleft()
            # From here on nobody can cancel it, and its result always has where to go.
            if future.set_running_or_notify_cancel():
                run()

    def _do_without_another_thread(self) -> None:
        """Leave the work to the threads that are there. Without any, do it here: an alert has to ring."""
        with self._lock:
            if self._running > 1:
                self._running -= 1
                return
        self._work()


def _settle(future: Future[Result], work: Callable[[], Result]) -> None:
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
