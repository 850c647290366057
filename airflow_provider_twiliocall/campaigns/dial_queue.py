"""Which rows of a campaign are to be dialled, and when. No I/O."""

from __future__ import annotations

import heapq
import math
from collections import deque


class DialQueue:
    """Rows that wait for their turn: in their order, and before them those whose time has come."""

    def __init__(self) -> None:
        self._fresh: deque[int] = deque()
        self._delayed: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._fresh) + len(self._delayed)

    def add_fresh(self, row: int) -> None:
        """Let a row wait for its turn, after those that are there."""
        self._fresh.append(row)

    def add(self, row: int, due: float) -> None:
        """Let a row wait for a moment, a Unix time."""
        heapq.heappush(self._delayed, (due, row))

    @property
    def next_due(self) -> float:
        """Unix time from which the next row may be dialled; infinite where there is none."""
        if self._fresh:
            return -math.inf
        return self._delayed[0][0] if self._delayed else math.inf

    def take(self, most: int, now: float) -> list[int]:
        """Take the rows whose turn it is.

        :param now: Unix time
        """
        rows: list[int] = []
        while len(rows) < most:
            if self._delayed and self._delayed[0][0] <= now:
                rows.append(heapq.heappop(self._delayed)[1])
            elif self._fresh:
                rows.append(self._fresh.popleft())
            else:
                break
        return rows
