"""docs/simulator.md: its numbers are the simulator's, its Python runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.simulator.calls.endings import NUMBERS, Outcome
from airflow_provider_twiliocall.simulator.calls.twiml import attributes, verbs
from airflow_provider_twiliocall.simulator.calls.twiml.run import MOST_REQUESTS_IN_A_ROW
from airflow_provider_twiliocall.simulator.fault import FaultKind
from airflow_provider_twiliocall.simulator.simulator import VERIFIED

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
FIXTURE_EXAMPLE, _, PLAIN_EXAMPLE, KEYS_EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


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


def test_the_example_with_keys_runs(twilio_simulator: TwilioSimulator) -> None:
    names: dict[str, Any] = {}

    exec(KEYS_EXAMPLE, names)

    names["test_a_callee_corrects_a_wrong_key"](twilio_simulator)


def test_the_times_of_the_verbs_and_the_codes_of_mistakes_are_those_of_the_code() -> None:
    assert f"takes 1 s for {verbs.CHARACTERS_PER_SECOND:g} characters" in PAGE
    assert f"takes {verbs.PLAY_SECONDS:g} s, times `loop`" in PAGE
    assert f"the callee speaks for {verbs.RECORDED_SPEECH_SECONDS:g} s" in PAGE
    assert f"talks for {verbs.DIALED_SECONDS:g} s" in PAGE
    assert f"more than {MOST_REQUESTS_IN_A_ROW} documents in a row" in PAGE
    assert [code for code in attributes.CODES.values() if str(code) not in PAGE] == []
