"""Many notifiers, in many processes, at one moment: the phone rings once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator

PROCESSES = 8
NOTIFIERS_IN_EACH = 25
NUMBER = "+15551230001"


@pytest.fixture
def twilio_at_its_own_pace() -> Iterator[TwilioSimulator]:
    """A call leaves the queue each second."""
    with TwilioSimulator(speed=1.0, calls_per_second=1.0) as simulator:
        simulator.script(NUMBER, {"outcome": "human", "talk": 60})
        yield simulator


def test_200_notifiers_at_once_ring_once(twilio_at_its_own_pace: TwilioSimulator) -> None:
    assert 1 <= rings_of_a_storm(twilio_at_its_own_pace) <= 2


def rings_of_a_storm(simulator: TwilioSimulator) -> int:
    """Let all of them loose, and count the calls that leave the queue."""
    subprocess.run(
        [sys.executable, "-m", "tests.integration.crowd", NUMBER, str(PROCESSES), str(NOTIFIERS_IN_EACH)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "AIRFLOW_CONN_TWILIO_DEFAULT": simulator.airflow_connection},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # What is still queued and not canceled will ring.
    rings = [call for call in simulator.calls if call["start_time"] or call["status"] == "queued"]
    assert [call for call in rings if call["status"] != "canceled"]
    return len(rings)
