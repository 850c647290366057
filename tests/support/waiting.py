"""Waiting until something holds, and ports that nobody uses: what all processes of a test need."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

LOOK_AGAIN_S = 1.0


def wait_until(condition: Callable[[], Any], what: str, limit: float, again: float = LOOK_AGAIN_S) -> Any:
    """Return what a condition gives once it is true.

    :param again: seconds between two looks
    :raises TimeoutError: it was not within ``limit`` seconds
    """
    deadline = time.monotonic() + limit
    never = threading.Event()
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {limit:.0f} s in vain for {what}")
        never.wait(again)
    return result


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses; found together, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
