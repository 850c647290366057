"""What will happen to calls, in the order of time; a call that waits for a web server is held back."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field

from airflow_provider_twiliocall.simulator.calls.call_life import Planned
from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.simulated_call import SimulatedCall


@dataclass(order=True)
class Due:
    """Something planned for a call at an instant."""

    at: float
    order: int
    call: SimulatedCall = field(compare=False)
    plan: int = field(compare=False)
    planned: Planned = field(compare=False)


class Agenda:
    """A queue of what is due.

    While Twilio waits for the answer of a web server, time passes for that call as it passes for the server:
    one simulated second a real second, whatever the speed, and a skip does not touch it. What the call has
    planned for later waits. Otherwise a skip would end a call in whose middle there is a request.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._order = itertools.count()
        self._queue: list[Due] = []
        self._held: list[Due] = []

    def add(self, call: SimulatedCall, at: float, planned: Planned) -> None:
        """Plan something for a call. It is dropped if the call's plan changes before."""
        heapq.heappush(self._queue, Due(at, next(self._order), call, call.plan, planned))

    def release(self) -> None:
        """Look again at what was held back."""
        held, self._held = self._held, []
        for due in held:
            heapq.heappush(self._queue, due)

    def first(self, now: float) -> Due | None:
        """What is due first by now, if anything is."""
        while self._queue and self._queue[0].at <= now:
            due = self._queue[0]
            if due.plan == due.call.plan:
                if due.at <= self._time_of(due.call, now):
                    return due
                self._held.append(due)
            heapq.heappop(self._queue)
        return None

    def take(self) -> Due:
        """Take what :meth:`first` has found."""
        return heapq.heappop(self._queue)

    def next_instant(self, now: float) -> float | None:
        """When something is due next, if anything is planned."""
        instants = [due.at for due in self._queue[:1]]
        # What is held back waits in real seconds, whatever the speed.
        instants += [
            now + self._clock.seconds_between(self._time_of(due.call, now), due.at) for due in self._held
        ]
        return min(instants, default=None)

    def _time_of(self, call: SimulatedCall, now: float) -> float:
        asking = call.conversation.asking
        return now if asking is None else asking.time_of_call(self._clock, now)
