"""A task that a person has cleared, that stands for somebody else by now, or that another process has replaced."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.exceptions import TwilioCallNotPlacedError, TwilioCallSupersededError
from airflow_provider_twiliocall.journal.store import KEY
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.ring_task import (
    SOMEBODY,
    SOMEBODY_ELSE,
    STAYS_QUEUED,
    on,
    operations,
    posts,
    statuses,
)
from tests.integration.tries import CLEARED, dial_and_vanish, die, run, sids
from tests.support.interruption import AWAY, SUPERSEDED, DeadlyStore, UnsteadyStore
from tests.support.task_context import StateStore

pytestmark = pytest.mark.usefixtures("connection", "real_pace", "clock")


@pytest.fixture
def store() -> StateStore:
    return StateStore()


# A person has cleared the task


def test_a_cleared_task_is_a_new_run_that_dials_and_says_so(
    twilio_simulator: TwilioSimulator, store: StateStore, caplog: pytest.LogCaptureFixture
) -> None:
    sid = run(store)
    with caplog.at_level("INFO"):
        again = run(store, max_tries=CLEARED)
    assert [sid, again] == sids(twilio_simulator)
    assert "The task was cleared, so this is a new run, and its call is placed again." in caplog.messages


@pytest.mark.parametrize(
    ("when_killed", "ring", "status"),
    [
        ("cancel", 50, "canceled"),
        ("cancel", 0, "in-progress"),
        ("hang_up", 50, "canceled"),
        ("hang_up", 0, "completed"),
        ("leave", 50, "ringing"),
        ("leave", 0, "in-progress"),
    ],
)
def test_a_cleared_task_first_ends_the_call_of_the_run_before(
    twilio_simulator: TwilioSimulator, store: StateStore, when_killed: str, ring: float, status: str
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "ring": ring, "talk": 600})
    dial_and_vanish(store)
    run(store, max_tries=CLEARED, when_killed=when_killed, wait_for_completion=False)
    assert statuses(twilio_simulator)[0] == status
    assert posts(twilio_simulator) == 2


def test_a_cleared_task_ends_the_call_before_it_dials(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    dial_and_vanish(store, STAYS_QUEUED)
    run(store, STAYS_QUEUED, max_tries=CLEARED, wait_for_completion=False)
    assert operations(twilio_simulator)[-2:] == ["update", "create"]


def test_a_cleared_task_looks_for_the_unconfirmed_call_of_the_run_before_and_ends_it(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.script(SOMEBODY, ["queued", "human"])
    left = die(DeadlyStore(before="placed"))
    run(left, max_tries=CLEARED)
    assert statuses(twilio_simulator) == ["canceled", "completed"]


def test_a_cleared_task_does_not_dial_while_the_call_before_may_ring_and_cannot_be_ended(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    dial_and_vanish(store, STAYS_QUEUED)
    twilio_simulator.inject(on("update", kind="drop", times=None))
    with pytest.raises(TwilioCallNotPlacedError, match="may still ring and could not be ended") as failed:
        run(store, STAYS_QUEUED, max_tries=CLEARED)
    assert not isinstance(failed.value, AirflowFailException)
    assert posts(twilio_simulator) == 1


def test_a_cleared_task_dials_where_twilio_has_forgotten_the_call_before(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    sid = dial_and_vanish(store, STAYS_QUEUED)
    twilio_simulator.inject(on("update", kind="status", status=404, code=20404, times=None, sid=sid))
    run(store, STAYS_QUEUED, max_tries=CLEARED, wait_for_completion=False)
    assert posts(twilio_simulator) == 2


# The index of a mapped task means somebody else by now


def test_a_journal_about_another_person_is_left_alone_and_the_new_one_is_dialled(
    twilio_simulator: TwilioSimulator, store: StateStore, caplog: pytest.LogCaptureFixture
) -> None:
    sid = dial_and_vanish(store, STAYS_QUEUED)
    again = run(store, SOMEBODY_ELSE)
    assert [sid, again] == sids(twilio_simulator)
    assert statuses(twilio_simulator) == ["queued", "completed"]
    assert f"An earlier try was about a call between two others ({sid})" in caplog.text


def test_an_unconfirmed_call_to_another_person_is_not_looked_for(twilio_simulator: TwilioSimulator) -> None:
    left = die(DeadlyStore(before="placed"))
    run(left, to=SOMEBODY_ELSE)
    assert "list" not in operations(twilio_simulator)
    assert posts(twilio_simulator) == 2


def test_a_text_that_a_template_renders_differently_does_not_ring_twice(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    sid = dial_and_vanish(store, message="at 10:00 the pump failed")
    assert run(store, message="at 10:05 the pump failed") == sid
    assert posts(twilio_simulator) == 1


# A store that is away, or speaks to another


def test_nothing_is_dialled_while_the_journal_cannot_be_read(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioCallNotPlacedError, match="so nothing was dialled") as failed:
        run(StateStore(fault=AWAY))
    assert not isinstance(failed.value, AirflowFailException)
    assert operations(twilio_simulator) == []


def test_nothing_is_dialled_while_the_journal_cannot_be_written(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioCallNotPlacedError, match="a retry could ring twice"):
        run(UnsteadyStore(faults=[None, AWAY]))
    assert operations(twilio_simulator) == []


def test_a_sid_is_kept_once_the_store_is_back(twilio_simulator: TwilioSimulator) -> None:
    store = UnsteadyStore(faults=[None, None, AWAY, AWAY])
    sid = run(store)
    assert store.values[KEY]["call_sid"] == sid


def test_a_sid_that_could_not_be_kept_is_found_by_the_next_try(twilio_simulator: TwilioSimulator) -> None:
    store = UnsteadyStore(faults=[None, None, *[AWAY] * 10])
    sid = dial_and_vanish(store)
    assert store.values[KEY]["state"] == "placing"
    assert run(StateStore(store.values)) == sid
    assert posts(twilio_simulator) == 1


def test_a_superseded_try_does_not_dial(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioCallSupersededError, match="did not dial") as failed:
        run(UnsteadyStore(faults=[None, SUPERSEDED]))
    assert isinstance(failed.value, AirflowFailException)
    assert operations(twilio_simulator) == []


def test_a_try_superseded_while_twilio_asks_it_to_wait_does_not_dial_again(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.inject(on("create", kind="status", status=429, code=20429, headers={"Retry-After": "5"}))
    with pytest.raises(TwilioCallSupersededError):
        run(UnsteadyStore(faults=[None, None, None, SUPERSEDED]))
    assert posts(twilio_simulator) == 1
    assert twilio_simulator.calls == []


@pytest.mark.parametrize(
    ("when_killed", "status"), [("cancel", "canceled"), ("hang_up", "canceled"), ("leave", "queued")]
)
def test_a_try_superseded_while_it_dialled_ends_the_surplus_call(
    twilio_simulator: TwilioSimulator, when_killed: str, status: str
) -> None:
    with pytest.raises(TwilioCallSupersededError, match="has taken over while this one placed call"):
        run(UnsteadyStore(faults=[None, None, SUPERSEDED]), STAYS_QUEUED, when_killed=when_killed)
    assert statuses(twilio_simulator) == [status]
