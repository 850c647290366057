"""docs/simulator.md: its numbers are the simulator's, its Python runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.simulator.calls.endings import NUMBERS, Outcome
from airflow_provider_twiliocall.simulator.fault import FaultKind
from airflow_provider_twiliocall.simulator.simulator import VERIFIED

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
FIXTURE_EXAMPLE, _, PLAIN_EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_table_of_numbers_is_complete() -> None:
    assert re.findall(r"^\| `(\+1500555\d+)` \| [^|]+ \|$", PAGE, re.MULTILINE) == list(NUMBERS)


def test_every_outcome_fault_and_verified_number_is_named() -> None:
    assert [each for each in (*Outcome, *FaultKind) if f"`{each.value}`" not in PAGE] == []
    assert [number for number in VERIFIED if f"`{number}`" not in PAGE] == []


def test_the_example_with_the_fixture_runs(twilio_simulator: TwilioSimulator) -> None:
    names: dict[str, Any] = {}

    exec(FIXTURE_EXAMPLE, names)

    names["test_a_busy_line"](twilio_simulator)


def test_the_example_without_pytest_runs() -> None:
    exec(PLAIN_EXAMPLE, {})
