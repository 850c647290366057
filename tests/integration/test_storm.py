"""Many notifiers, in many processes, at one moment: the phone rings once, or a few times where lists lag."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.simulator.fault import Fault, FaultKind
from tests.integration.virtual_storm import Conditions, rings, storm

PROCESSES = 8
# So many of them end when the last notifier returns, and lose the second looks that still go on.
ENDING = 2
NOTIFIERS_IN_EACH = 25
NUMBER = "+15551230001"
NUMBERS = [f"+155512310{number:02}" for number in range(10)]

# Where lists lag nearly all of the 200 place a call, and more than a thousand requests are due in some five seconds. A
# machine that has other things to do answers a few dozen in a second, simulated Twilio and notifiers together. So that
# the rule is tested and not the machine, a second lasts that many seconds here: for the queue and the lag, and in
# whatever a notifier waits.
SLOWNESS = 5.0


@pytest.fixture
def twilio() -> Iterator[TwilioSimulator]:
    """In slow motion, a call leaves the queue each second."""
    with TwilioSimulator(speed=1.0 / SLOWNESS, calls_per_second=1.0) as simulator:
        simulator.script("*", {"outcome": "human", "talk": 60})
        yield simulator


@pytest.mark.alone
def test_200_notifiers_at_once_ring_once(twilio: TwilioSimulator) -> None:
    assert 1 <= rings_of_a_storm(twilio) <= 2


@pytest.mark.alone
def test_200_notifiers_at_once_ring_four_times_at_most_where_lists_lag(twilio: TwilioSimulator) -> None:
    twilio.inject(Fault(kind=FaultKind.LIST_LAG, seconds=2.0 * SLOWNESS, times=None))
    assert 1 <= rings_of_a_storm(twilio) <= 4


@pytest.mark.alone
def test_alerts_in_a_row_of_8_processes_ring_each_number_once(twilio: TwilioSimulator) -> None:
    rung = calls_of_a_storm(twilio, NUMBERS, notifiers_in_each=1)
    assert set(rung) == set(NUMBERS)
    # One ring more at most for each process that ended before it could take its call back.
    assert max(Counter(rung).values()) <= 2 + ENDING


@pytest.mark.untraced
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("conditions", "most"),
    [
        pytest.param(Conditions(), 2, id="lists up to date"),
        pytest.param(Conditions(lag=2), 4, id="lists lag"),
        pytest.param(Conditions(lag=2, answer=0.3), 4, id="lists lag, answers are slow"),
        pytest.param(Conditions(lag=2, answer=0.02, capacity=400), 4, id="lists lag, requests queue"),
        pytest.param(Conditions(lag=2, record=2.0), 4, id="lists lag, Airflow is slow"),
    ],
)
def test_the_rule_alone_keeps_to_that(
    monkeypatch: pytest.MonkeyPatch, conditions: Conditions, most: int, seed: int
) -> None:
    twilio = storm(monkeypatch, conditions, seed=seed)
    rung = rings(twilio)
    assert 1 <= len(rung) <= most
    stands = {call.sid for call in rung if call.status != "canceled"}
    assert stands
    assert all(twilio.airflow.has(call) for call in rung if call.sid in stands)
    assert len(twilio.airflow.kept) <= most


@pytest.mark.untraced
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("conditions", "most"),
    [
        pytest.param(Conditions(lost=0.5), 2, id="lists up to date"),
        pytest.param(Conditions(lag=2, lost=0.5), 4, id="lists lag"),
        pytest.param(Conditions(lag=2, lost=1.0), 4, id="lists lag, Airflow is away"),
    ],
)
def test_an_airflow_that_loses_what_is_written_changes_nothing_in_a_storm(
    monkeypatch: pytest.MonkeyPatch, conditions: Conditions, most: int, seed: int
) -> None:
    assert 1 <= len(rings(storm(monkeypatch, conditions, seed=seed))) <= most


@pytest.mark.untraced
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("conditions", "most"),
    [
        pytest.param(Conditions(), 2, id="lists up to date"),
        pytest.param(Conditions(lag=2), 4, id="lists lag"),
        pytest.param(Conditions(lost=0.2), 2, id="Airflow loses some"),
        pytest.param(Conditions(lag=2, lost=0.2), 4, id="lists lag, Airflow loses some"),
        pytest.param(Conditions(record=1.0), 2, id="Airflow is slow"),
    ],
)
def test_an_ordinary_call_silences_no_storm(
    monkeypatch: pytest.MonkeyPatch, conditions: Conditions, most: int, seed: int
) -> None:
    _, *rung = rings(storm(monkeypatch, conditions, seed=seed, ordinary_call=True))
    assert 1 <= len(rung) <= most
    assert any(call.status != "canceled" for call in rung)


def rings_of_a_storm(simulator: TwilioSimulator) -> int:
    """Let all of them loose on one number, and count the calls that leave the queue."""
    return len(calls_of_a_storm(simulator, [NUMBER], notifiers_in_each=NOTIFIERS_IN_EACH))


def calls_of_a_storm(simulator: TwilioSimulator, numbers: list[str], *, notifiers_in_each: int) -> list[str]:
    """Let notifiers loose that call the numbers one after the other, and return who was rung, once for each ring."""
    crowd = [",".join(numbers), *map(str, (PROCESSES, notifiers_in_each, ENDING, SLOWNESS))]
    subprocess.run(
        [sys.executable, "-m", "tests.integration.crowd", *crowd],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "AIRFLOW_CONN_TWILIO_DEFAULT": simulator.airflow_connection},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Twilio does not share its machines with the crowd: Linux divides its time between sessions first.
        start_new_session=True,
    )
    # What is still queued and not canceled will ring.
    rung = [call for call in simulator.calls if call["start_time"] or call["status"] == "queued"]
    stand = {call["to"] for call in rung if call["status"] != "canceled"}
    assert stand == set(numbers)
    return [call["to"] for call in rung]
