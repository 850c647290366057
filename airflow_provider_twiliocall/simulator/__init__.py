"""A Twilio that runs on this machine. Importing this package alone loads neither FastAPI nor uvicorn."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_twiliocall.simulator.calls.clock import Clock
    from airflow_provider_twiliocall.simulator.calls.endings import Ending, Outcome
    from airflow_provider_twiliocall.simulator.calls.presses import Press
    from airflow_provider_twiliocall.simulator.fault import Fault, FaultKind
    from airflow_provider_twiliocall.simulator.operation import Operation
    from airflow_provider_twiliocall.simulator.request_log import ReceivedRequest
    from airflow_provider_twiliocall.simulator.server import PortInUseError
    from airflow_provider_twiliocall.simulator.simulator import TwilioSimulator

__all__ = [
    "Clock",
    "Ending",
    "Fault",
    "FaultKind",
    "Operation",
    "Outcome",
    "PortInUseError",
    "Press",
    "ReceivedRequest",
    "TwilioSimulator",
]

_HOME = {
    "Clock": "calls.clock",
    "Ending": "calls.endings",
    "Fault": "fault",
    "FaultKind": "fault",
    "Operation": "operation",
    "Outcome": "calls.endings",
    "PortInUseError": "server",
    "Press": "calls.presses",
    "ReceivedRequest": "request_log",
    "TwilioSimulator": "simulator",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
