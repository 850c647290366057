"""Time that passes when somebody sleeps: waits of minutes in milliseconds, for package and simulator alike."""

from __future__ import annotations

import pytest
from urllib3.util import retry

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.support.replaced_clock import replace_clock


class VirtualTime:
    """In the place of the package's clock: sleeping turns the simulator's clock.

    :param ahead: seconds that the worker's clock is ahead of Twilio's
    """

    def __init__(self, simulator: TwilioSimulator, ahead: float = 0.0) -> None:
        self._simulator = simulator
        self.ahead = ahead

    def time(self) -> float:
        return self._simulator.clock.now() + self.ahead

    def monotonic(self) -> float:
        return self._simulator.clock.now()

    def sleep(self, seconds: float) -> None:
        self._simulator.skip(seconds * self._simulator.clock.speed)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
        replace_clock(monkeypatch, self)
        # Where requests are sent again, urllib3 is who waits.
        monkeypatch.setattr(retry, "time", self)
        return self
