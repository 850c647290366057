"""Something that happened to a call, for those who tell others about it."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_twiliocall.simulator.calls.conversation import Asking
from airflow_provider_twiliocall.simulator.calls.simulated_call import SimulatedCall


@dataclass(frozen=True)
class CallEvent:
    """Something happened to a call that somebody may be told: ``initiated``, ``answered``, ``detected``, …

    :param asking: of ``asks``, the request for TwiML.
    """

    call: SimulatedCall
    name: str
    at: float
    asking: Asking | None = None
