"""The simulator's time: what "now" is, how fast calls go on, and which dates are reported."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import format_datetime


class Clock:
    """Two kinds of seconds, and the way from one to the other.

    An *instant* is a moment on this machine's clock (seconds since 1970). What happens to a call is told
    in *simulated seconds*, of which ``speed`` pass in one real second: a phone that rings for 20 simulated
    seconds at speed 10 is picked up after 2 real ones. Dates are reported as real instants, so that
    a client's date filters and deadlines work. Durations are reported in simulated seconds.

    :param speed: simulated seconds in a real one, more than 0.
    :param skew: how many seconds Twilio's clock is ahead of this machine's (behind, if negative). It moves
        every reported date and the ``Date`` header, never the order or the pace of events.
    :param read: where the time comes from; tests pass a clock that they turn by hand.
    """

    def __init__(
        self, speed: float = 1.0, *, skew: float = 0.0, read: Callable[[], float] | None = None
    ) -> None:
        self.skew = skew
        self.speed = speed
        # Counted from a monotonic clock, so that setting this machine's clock does not end or revive calls.
        started = time.time() - time.monotonic()
        self.read = read or (lambda: started + time.monotonic())
        self._skipped = 0.0

    @property
    def speed(self) -> float:
        """Simulated seconds in one real second. A change holds for what is planned from then on."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        if not value > 0:
            raise ValueError(
                f"speed={value!r} must be more than 0: it is the number of simulated seconds per real second"
            )
        self._speed = float(value)

    def now(self) -> float:
        """The instant it is."""
        return self.read() + self._skipped

    def after(self, instant: float, seconds: float) -> float:
        """The instant that many simulated seconds later."""
        return instant + seconds / self._speed

    def seconds_between(self, start: float, end: float) -> float:
        """Simulated seconds from one instant to another."""
        return (end - start) * self._speed

    def skip(self, seconds: float) -> None:
        """Let that many simulated seconds pass at once."""
        self._skipped += seconds / self._speed

    def go_back(self) -> None:
        """Undo every skip. Only for a simulator without calls: theirs would lie in the future."""
        self._skipped = 0.0

    def date(self, instant: float) -> datetime:
        """The date Twilio reports for an instant: UTC, whole seconds."""
        return datetime.fromtimestamp(int(instant + self.skew), timezone.utc)

    def stamp(self, instant: float) -> str:
        """That date as Twilio writes it: ``Fri, 18 Oct 2019 17:00:00 +0000``."""
        return format_datetime(self.date(instant))
