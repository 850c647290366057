"""A task that asks for a key: the simulator says the message, presses, and Twilio's request reaches the receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred

from airflow_provider_twiliocall.exceptions import TwilioCallRefusedError, TwilioCallUnansweredError
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import Press, TwilioSimulator
from tests.integration.mounted_receiver import mounted_receiver
from tests.integration.ring_task import (
    BUSY,
    SOMEBODY,
    VARIABLE,
    VOICEMAIL,
    defer,
    fire,
    operations,
    resume,
    waiting,
)
from tests.support.airflow_database import TaskRow, keeps_state
from tests.support.database_task import DatabaseStore, DatabaseTaskInstance
from tests.support.task_context import context

OPTIONS = {"1": "confirm", "2": "call me later"}


@pytest.fixture(scope="module")
def public_url() -> Iterator[str]:
    with mounted_receiver() as url:
        yield url


@pytest.fixture(autouse=True)
def connection(twilio_simulator: TwilioSimulator, public_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = json.loads(twilio_simulator.airflow_connection)
    fields["extra"]["webhook_url"] = public_url
    monkeypatch.setenv(VARIABLE, json.dumps(fields))


class Asking:
    """A task instance in Airflow's database, and its tries."""

    def __init__(self) -> None:
        self.row = TaskRow()
        self.ti = DatabaseTaskInstance(self.row)
        self.store = DatabaseStore(self.row) if keeps_state() else None

    @property
    def context(self) -> dict[str, Any]:
        return context(self.ti, self.store)

    def task(self, to: str = SOMEBODY, **arguments: Any) -> CreateCallOperator:
        return waiting(to, **{"options": OPTIONS, **arguments})

    def run(self, to: str = SOMEBODY, **arguments: Any) -> Any:
        try:
            return self.task(to, **arguments).execute(self.context)
        except TaskDeferred as pause:
            # By Twilio's dates, in whole seconds, the call may have ended a little later than now.
            resumed = self.task(to, **arguments)
            return resumed.resume_execution(
                pause.method_name, {**(pause.kwargs or {}), "event": None}, self.context
            )

    def next_try(self) -> None:
        """Airflow clears the XComs, and gives the task instance a new id."""
        self.row.replace_by_next_try()
        self.ti = DatabaseTaskInstance(self.row)

    @property
    def answer(self) -> Any:
        answer = self.ti.xcoms["answer"]
        return answer and (answer["key"], answer["option"])


@pytest.fixture
def asking() -> Asking:
    return Asking()


def presses(simulator: TwilioSimulator, *keys: Any, to: str = SOMEBODY) -> None:
    simulator.script(to, {"outcome": "human", "presses": keys})


def said(simulator: TwilioSimulator, call: int = 0) -> str:
    return " ".join(simulator.calls[call]["said"])


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_key_is_the_answer(twilio_simulator: TwilioSimulator, asking: Asking, deferrable: bool) -> None:
    presses(twilio_simulator, "1")
    task = asking.task(deferrable=deferrable)
    if deferrable:
        twilio_simulator.script(SOMEBODY, {"outcome": "human", "ring": 50, "presses": ("1",)})
        deferred = defer(task, asking.ti, asking.store)
        deferred.trigger.poll_interval = 0.05
        sid = resume(task, deferred, fire(deferred.trigger), asking.ti, asking.store)
    else:
        sid = task.execute(asking.context)
    assert sid == twilio_simulator.calls[0]["sid"]
    assert asking.answer == ("1", "confirm")
    assert "Thank you" in said(twilio_simulator)


def test_each_option_is_said_and_a_wrong_key_is_asked_again(
    twilio_simulator: TwilioSimulator, asking: Asking
) -> None:
    # Late enough to have heard all of it.
    presses(twilio_simulator, Press(keys="9", after=9), Press(keys="2", after=9))
    asking.run()
    assert asking.answer == ("2", "call me later")
    assert said(twilio_simulator).count("For confirm, press 1. For call me later, press 2.") == 2


def test_who_presses_nothing_is_asked_as_often_as_the_author_says_and_counts_as_unanswered(
    twilio_simulator: TwilioSimulator, asking: Asking
) -> None:
    presses(twilio_simulator)
    with pytest.raises(TwilioCallUnansweredError, match="nobody pressed one of the keys 1, 2"):
        asking.run(ask_times=2)
    assert said(twilio_simulator).count("For confirm, press 1.") == 2
    assert "No key was pressed. Goodbye." in said(twilio_simulator)
    assert asking.answer is None


def test_an_answer_may_be_left_out_where_the_author_says_so(
    twilio_simulator: TwilioSimulator, asking: Asking
) -> None:
    presses(twilio_simulator)
    assert asking.run(ask_times=1, answer_required=False) == twilio_simulator.calls[0]["sid"]
    assert asking.answer is None


def test_a_retry_rings_who_has_not_answered_and_nobody_who_has(
    twilio_simulator: TwilioSimulator, asking: Asking
) -> None:
    twilio_simulator.script(
        SOMEBODY, [{"outcome": "human", "presses": ()}, {"outcome": "human", "presses": ("1",)}, "human"]
    )
    with pytest.raises(TwilioCallUnansweredError):
        asking.run(ask_times=1)
    asking.next_try()
    asking.run(ask_times=1)
    assert asking.answer == ("1", "confirm")
    if asking.store is None:
        return
    asking.next_try()
    asking.run(ask_times=1)
    assert asking.answer == ("1", "confirm")
    assert len(twilio_simulator.calls) == 2


def test_the_task_itself_dials_again_after_no_key(twilio_simulator: TwilioSimulator, asking: Asking) -> None:
    twilio_simulator.script(
        SOMEBODY, [{"outcome": "human", "presses": ()}, {"outcome": "human", "presses": ("2",)}]
    )
    asking.run(ask_times=1, max_dials=2, redial_after=0)
    assert asking.answer == ("2", "call me later")
    assert [dial["reason"] for dial in asking.ti.xcoms["dials"]] == ["no-key", "completed"]


def test_a_pressed_key_counts_whoever_is_said_to_have_answered(
    twilio_simulator: TwilioSimulator, asking: Asking
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "fax", "presses": ("1",)})
    asking.run(accept_answered_by={"human"}, machine_detection="Enable")
    assert asking.answer == ("1", "confirm")


@pytest.mark.parametrize(("to", "why"), [(BUSY, "the line was busy"), (VOICEMAIL, "nobody pressed")])
def test_who_cannot_press_has_not_answered(
    twilio_simulator: TwilioSimulator, asking: Asking, to: str, why: str
) -> None:
    with pytest.raises(AirflowException, match=why):
        asking.run(to, ask_times=1)
    assert asking.answer is None


def test_a_key_that_reaches_nobody_is_no_answer(
    twilio_simulator: TwilioSimulator, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = json.loads(twilio_simulator.airflow_connection)
    fields["extra"]["webhook_url"] = "http://127.0.0.1:9"
    monkeypatch.setenv(VARIABLE, json.dumps(fields))
    presses(twilio_simulator, "1")
    with pytest.raises(TwilioCallUnansweredError, match="nobody pressed"):
        asking.run()
    assert asking.answer is None


def test_without_a_public_address_nothing_is_dialled(
    twilio_simulator: TwilioSimulator, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    with pytest.raises(
        TwilioCallRefusedError, match="set the extra webhook_url of the connection 'twilio_default'"
    ):
        asking.run()
    assert "create" not in operations(twilio_simulator)


def test_a_public_address_that_is_wrong_is_told_with_its_fix(
    twilio_simulator: TwilioSimulator, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = json.loads(twilio_simulator.airflow_connection)
    fields["extra"]["webhook_url"] = "http://airflow.example.com"
    monkeypatch.setenv(VARIABLE, json.dumps(fields))
    with pytest.raises(TwilioCallRefusedError, match="give an https address"):
        asking.run()
    assert "create" not in operations(twilio_simulator)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [({"message": "word " * 780}, "shorten the message"), ({"options": "{{ nothing }}"}, "what keys mean")],
)
def test_what_cannot_be_asked_is_refused_before_dialling(
    twilio_simulator: TwilioSimulator, asking: Asking, arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(TwilioCallRefusedError, match=told):
        asking.run(**arguments)
    assert "create" not in operations(twilio_simulator)


def test_a_recording_can_ask_too(twilio_simulator: TwilioSimulator, asking: Asking) -> None:
    presses(twilio_simulator, "1")
    asking.run(message=None, audio_url="https://example.com/reminder.mp3")
    assert asking.answer == ("1", "confirm")


def test_the_call_may_last_as_long_as_all_repetitions(
    twilio_simulator: TwilioSimulator, asking: Asking
) -> None:
    presses(twilio_simulator, "1")
    asking.run(ask_times=5)
    [form] = [dict(each.form) for each in twilio_simulator.requests if each.operation == "create"]
    assert 100 < int(form["TimeLimit"]) < 400


def test_nothing_that_is_kept_has_a_whole_number(twilio_simulator: TwilioSimulator, asking: Asking) -> None:
    presses(twilio_simulator, "1")
    asking.run()
    assert SOMEBODY.strip("+") not in json.dumps(asking.ti.xcoms)
    assert asking.store is None or SOMEBODY.strip("+") not in json.dumps(asking.store.values)
