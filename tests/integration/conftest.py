"""What the tests of tasks that pause stand on: time that passes when somebody sleeps, and the Airflows there are."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.campaigns import campaign_run
from airflow_provider_twiliocall.journal import entry
from airflow_provider_twiliocall.notifications.this_process import forget_this_process
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.campaign_stage import CampaignStage, InLine
from tests.integration.pauses import PausingRun
from tests.integration.ring_task import VARIABLE
from tests.support.replaced_sleep import replace_sleep
from tests.support.task_context import StateStore
from tests.support.virtual_time import VirtualTime


@pytest.fixture(autouse=True)
def a_process_of_its_own() -> None:
    """Alerts share clients and waiting time in a process: a test must not find what another one has left of them."""
    forget_this_process()


@pytest.fixture(autouse=True)
def quick_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest is made slow against those who try all numbers; that is what half of a test's time would go into."""
    monkeypatch.setattr(entry, "DIGEST_ROUNDS", 1)


@pytest.fixture
def connection(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default connection is one to the simulator."""
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)


@pytest.fixture
def real_pace(twilio_simulator: TwilioSimulator) -> None:
    """A second of the simulator is one of Twilio's, so that dates and durations agree."""
    twilio_simulator.clock.speed = 1.0


@pytest.fixture
def clock(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    return VirtualTime(twilio_simulator).install(monkeypatch)


@pytest.fixture(params=["with a journal", "without"])
def any_store(request: pytest.FixtureRequest) -> StateStore | None:
    """What Airflow 3.3 keeps for a task, and that older ones keep nothing."""
    return StateStore() if request.param == "with a journal" else None


@pytest.fixture
def run(clock: VirtualTime, any_store: StateStore | None) -> PausingRun:
    return PausingRun(clock, store=any_store)


@pytest.fixture
def stage(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> CampaignStage:
    """A campaign's task instance."""
    monkeypatch.setattr(campaign_run, "threads_for_polls", InLine)
    replace_sleep(monkeypatch, clock.sleep)
    return CampaignStage(twilio_simulator, clock)
