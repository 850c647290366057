"""The pytest fixture ``twilio_simulator``. Costs nothing until a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_twiliocall.simulator import TwilioSimulator


@pytest.fixture(scope="session")
def twilio_simulator_settings() -> dict[str, Any]:
    """What the simulator is started with; override it in a ``conftest.py`` to have other arguments."""
    return {"speed": 100.0}


@pytest.fixture(scope="session")
def _twilio_simulator_server(twilio_simulator_settings: dict[str, Any]) -> Iterator[TwilioSimulator]:
    from airflow_provider_twiliocall.simulator import TwilioSimulator

    with TwilioSimulator(**twilio_simulator_settings) as simulator:
        yield simulator


@pytest.fixture
def twilio_simulator(_twilio_simulator_server: TwilioSimulator) -> TwilioSimulator:
    """A Twilio on this machine, without calls, scripts or faults; one server serves the whole session."""
    _twilio_simulator_server.reset()
    return _twilio_simulator_server
