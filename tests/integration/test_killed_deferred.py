"""A trigger that is told to stop: whether the task was killed or merely handed over, and what becomes of the call.

Airflow's own answers stand in here for a database; ``tests/e2e`` has the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.xcom import XCom
from airflow.secrets.environment_variables import EnvironmentVariablesBackend

from airflow_provider_twiliocall.hooks import twilio_call as hook_module
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.integration.ring_task import SOMEBODY, VARIABLE, on, operations, statuses

QUEUED = {"outcome": "queued"}
RINGING = {"outcome": "human", "ring": 5000}
TALKING = {"outcome": "human", "ring": 0, "talk": 10_000}

ANOTHER_SID = "CA" + "f" * 32
BOUND_S = 20


@pytest.fixture(autouse=True)
def connection(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    twilio_simulator.clock.speed = 1.0


Answers = Callable[..., None]


@pytest.fixture
def airflow_says(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Set what Airflow answers about the task: its state, and the call in its XCom."""

    def says(
        state: str | Exception,
        call_sid: str | Exception | None = None,
        name: str = "ring",
        *,
        woken_by: str | Exception | None = None,
    ) -> None:
        async def asend(message: Any) -> Any:
            return SimpleNamespace(task_states={message.run_ids[0]: {name: raise_or_return(state)}})

        def get_one(**whose: Any) -> Any:
            return raise_or_return({"call_sid": call_sid, "call_woken": woken_by}[whose["key"]])

        comms = SimpleNamespace(asend=asend)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
        monkeypatch.setattr(XCom, "get_one", get_one)

    return says


def raise_or_return(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


def placed(simulator: TwilioSimulator, ending: dict[str, Any]) -> str:
    simulator.script(SOMEBODY, ending)
    return TwilioCallHook().create_call(CreateCallParams(to=SOMEBODY, twiml="<Response/>")).sid


def trigger(sid: str, when_killed: str = "hang_up", *, map_index: int = -1) -> TwilioCallTrigger:
    trigger = TwilioCallTrigger("twilio_default", sid, 0.02, when_killed=when_killed)  # type: ignore[arg-type]
    trigger.task_instance = SimpleNamespace(  # type: ignore[assignment]
        dag_id="calls", task_id="ring", run_id="today", map_index=map_index
    )
    return trigger


def kill(simulator: TwilioSimulator, waiting: TwilioCallTrigger) -> None:
    """Stop a trigger that has begun to wait, as a triggerer does."""

    async def wait_and_be_killed() -> None:
        run = asyncio.ensure_future(waiting.run().__anext__())
        while "get" not in operations(simulator):
            await asyncio.sleep(0)
        run.cancel()
        await asyncio.wait([run])
        await asyncio.wait_for(waiting.on_kill(), BOUND_S)

    asyncio.run(wait_and_be_killed())


# Killed in earnest


@pytest.mark.parametrize("state", ["failed", "success", "removed", "scheduled", "queued", "running"])
def test_a_task_that_is_deferred_no_more_was_killed_and_its_call_is_ended(
    twilio_simulator: TwilioSimulator, airflow_says: Answers, state: str
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says(state, sid)
    kill(twilio_simulator, trigger(sid))
    assert statuses(twilio_simulator) == ["canceled"]


def test_a_cleared_task_that_waits_for_another_call_by_now_was_killed_and_its_first_call_is_ended(
    twilio_simulator: TwilioSimulator, airflow_says: Answers
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says("deferred", ANOTHER_SID)
    kill(twilio_simulator, trigger(sid))
    assert statuses(twilio_simulator) == ["canceled"]


def test_a_mapped_task_is_asked_for_by_its_index(
    twilio_simulator: TwilioSimulator, airflow_says: Answers
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says("failed", name="ring_3")
    kill(twilio_simulator, trigger(sid, map_index=3))
    assert statuses(twilio_simulator) == ["canceled"]


@pytest.mark.parametrize(
    ("when_killed", "ending", "status"),
    [
        ("cancel", QUEUED, "canceled"),
        ("cancel", RINGING, "canceled"),
        ("cancel", TALKING, "in-progress"),
        ("hang_up", QUEUED, "canceled"),
        ("hang_up", RINGING, "canceled"),
        ("hang_up", TALKING, "completed"),
        ("leave", QUEUED, "queued"),
        ("leave", RINGING, "ringing"),
        ("leave", TALKING, "in-progress"),
    ],
)
def test_a_killed_tasks_call_is_ended_as_the_author_wished(
    twilio_simulator: TwilioSimulator,
    airflow_says: Answers,
    when_killed: str,
    ending: dict[str, Any],
    status: str,
) -> None:
    sid = placed(twilio_simulator, ending)
    airflow_says("failed")
    kill(twilio_simulator, trigger(sid, when_killed))
    assert statuses(twilio_simulator) == [status]


def test_a_call_is_ended_through_a_little_weather(
    twilio_simulator: TwilioSimulator, airflow_says: Answers
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says("failed")
    twilio_simulator.inject(on("update", kind="status", status=503))
    kill(twilio_simulator, trigger(sid))
    assert statuses(twilio_simulator) == ["canceled"]


# Handed over


def test_a_task_that_still_waits_for_this_call_was_handed_over_and_the_call_is_left_alone(
    twilio_simulator: TwilioSimulator, airflow_says: Answers
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says("deferred", sid)
    kill(twilio_simulator, trigger(sid))
    assert statuses(twilio_simulator) == ["ringing"]
    assert "update" not in operations(twilio_simulator)


def test_a_deferred_task_whose_call_nobody_noted_down_is_taken_for_handed_over(
    twilio_simulator: TwilioSimulator, airflow_says: Answers
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says("deferred", None)
    kill(twilio_simulator, trigger(sid))
    assert statuses(twilio_simulator) == ["ringing"]


# In doubt


@pytest.mark.parametrize(
    ("state", "call_sid", "name"),
    [
        (ConnectionError("away"), None, "ring"),
        ("deferred", ConnectionError("away"), "ring"),
        ("failed", None, "another_task"),
    ],
    ids=["no state", "no XCom", "nothing about this task"],
)
def test_any_doubt_leaves_the_call_alone(
    twilio_simulator: TwilioSimulator, airflow_says: Answers, state: Any, call_sid: Any, name: str
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says(state, call_sid, name)
    kill(twilio_simulator, trigger(sid))
    assert statuses(twilio_simulator) == ["ringing"]


@pytest.mark.parametrize("state", ["scheduled", "queued", "running", "success"])
def test_a_task_that_its_call_has_woken_was_not_killed(
    twilio_simulator: TwilioSimulator, airflow_says: Answers, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says(state, sid, woken_by=sid)
    kill(twilio_simulator, trigger(sid))
    assert statuses(twilio_simulator) == ["ringing"]
    assert "its task was woken" in caplog.text


@pytest.mark.parametrize("woken_by", [ConnectionError("away"), "CA" + "0" * 32])
def test_a_task_that_another_call_has_woken_may_have_been_killed(
    twilio_simulator: TwilioSimulator, airflow_says: Answers, woken_by: Any
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says("failed", sid, woken_by=woken_by)
    kill(twilio_simulator, trigger(sid))
    doubtful = isinstance(woken_by, Exception)
    assert statuses(twilio_simulator) == ["ringing" if doubtful else "canceled"]


def test_without_an_airflow_that_can_be_asked_the_call_is_left_alone(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(task_runner, "SUPERVISOR_COMMS", raising=False)
    sid = placed(twilio_simulator, RINGING)
    kill(twilio_simulator, trigger(sid))
    assert statuses(twilio_simulator) == ["ringing"]


def test_a_trigger_that_was_killed_before_it_had_its_connection_fetches_it_and_ends_the_call(
    twilio_simulator: TwilioSimulator, airflow_says: Answers
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says("failed")
    asyncio.run(trigger(sid).on_kill())
    assert operations(twilio_simulator) == ["create", "update"]
    assert statuses(twilio_simulator) == ["canceled"]


def test_a_trigger_that_was_killed_while_its_connection_was_away_looks_for_it_again(
    twilio_simulator: TwilioSimulator, airflow_says: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says("failed", sid)
    find, away = EnvironmentVariablesBackend.get_conn_value, ["once", "twice"]

    def nothing_at_first(self: Any, *args: Any, **kwargs: Any) -> Any:
        return None if away and away.pop() else find(self, *args, **kwargs)

    monkeypatch.setattr(EnvironmentVariablesBackend, "get_conn_value", nothing_at_first)
    monkeypatch.setattr(hook_module, "PAUSE_BEFORE_ANOTHER_LOOK_S", 0.01)
    asyncio.run(trigger(sid).on_kill())
    assert (statuses(twilio_simulator), away) == (["canceled"], [])


def test_a_call_that_cannot_be_ended_is_no_fault_of_the_triggers(
    twilio_simulator: TwilioSimulator, airflow_says: Answers
) -> None:
    sid = placed(twilio_simulator, RINGING)
    airflow_says("failed")
    twilio_simulator.inject(on("update", kind="status", status=401, code=20003, times=None))
    kill(twilio_simulator, trigger(sid))
    assert statuses(twilio_simulator) == ["ringing"]
