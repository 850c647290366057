"""One simulated Twilio: the account, the faults, the log of requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_twiliocall.simulator.calls.account import Account
from airflow_provider_twiliocall.simulator.fault import Faults
from airflow_provider_twiliocall.simulator.request_log import RequestLog


@dataclass
class Twilio:
    """What the API, the control API and the in-process simulator work on."""

    account: Account
    faults: Faults = field(default_factory=Faults)
    log: RequestLog = field(default_factory=RequestLog)

    def __post_init__(self) -> None:
        clock = self.account.clock
        self._at_first = (clock.speed, clock.skew, self.account.calls_per_second)

    def reset(self) -> None:
        """No calls, scripts, faults or requests; speed, clock and pace of the queue as at the start."""
        with self.account.lock:
            clock = self.account.clock
            clock.speed, clock.skew, self.account.calls_per_second = self._at_first
            self.faults.clear()
            clock.go_back()
            self.account.reset()
            self.log.clear()
        self.account.when_something_happens()
