"""An escalation that somebody has to take with a key, over HTTP: the simulator presses, the receiver learns of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_twiliocall.callees.contact import Contact
from airflow_provider_twiliocall.exceptions import TwilioCallEndedForGoodError
from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.escalation_run import ANN, BEN, CLEO, dialled, escalating
from tests.integration.mounted_receiver import mounted_receiver
from tests.integration.ring_task import VARIABLE, fire
from tests.support.airflow_database import TaskRow, keeps_state
from tests.support.database_task import DatabaseStore, DatabaseTaskInstance
from tests.support.task_context import context

TAKES, PASSES_ON = {"outcome": "human", "presses": ("1",)}, {"outcome": "human", "presses": ("2",)}
LISTENS = {"outcome": "human", "presses": ()}


@pytest.fixture(scope="module")
def public_url() -> Iterator[str]:
    with mounted_receiver() as url:
        yield url


@pytest.fixture(autouse=True)
def connection(twilio_simulator: TwilioSimulator, public_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = json.loads(twilio_simulator.airflow_connection)
    fields["extra"]["webhook_url"] = public_url
    monkeypatch.setenv(VARIABLE, json.dumps(fields))
    monkeypatch.setattr("airflow_provider_twiliocall.triggers.twilio_call.SHORTEST_DEFERRAL_S", 0.0)


class Escalating:
    """One run of the task, in Airflow's database."""

    def __init__(self) -> None:
        self.row = TaskRow()
        self.store = DatabaseStore(self.row) if keeps_state() else None
        self.ti = DatabaseTaskInstance(self.row)

    def task(self, *contacts: Any, **arguments: Any) -> EscalateCallOperator:
        given = {"acknowledge": True, "ask_times": 1, "rounds": 1, **arguments}
        return escalating(*contacts, **given)

    def run(self, *contacts: Any, **arguments: Any) -> Any:
        """Play a try to its end, each part with an operator of its own, as in a process of its own."""
        where: Any = context(self.ti, self.store)
        go_on = self.task(*contacts, **arguments).execute
        method, kwargs = None, {}
        while True:
            try:
                return go_on(where) if method is None else go_on(method, kwargs, where)
            except TaskDeferred as deferred:
                deferred.trigger.poll_interval = 0.05
                method, kwargs = (
                    deferred.method_name,
                    {**(deferred.kwargs or {}), "event": fire(deferred.trigger)},
                )
                go_on = self.task(*contacts, **arguments).resume_execution  # type: ignore[assignment]

    @property
    def reasons(self) -> list[str]:
        return [dial["reason"] for dial in self.ti.xcoms["dials"]]


@pytest.fixture
def run() -> Escalating:
    return Escalating()


def test_who_presses_1_has_taken_it(twilio_simulator: TwilioSimulator, run: Escalating) -> None:
    twilio_simulator.script(ANN, "busy")
    twilio_simulator.script(BEN, TAKES)
    reached = run.run(ANN, Contact("Ben", BEN), CLEO)
    assert (reached["who"], reached["key"], reached["calls"]) == ("Ben", "1", 2)
    assert reached["when"] == run.ti.xcoms["answer"]["at"]
    assert dialled(twilio_simulator) == [ANN, BEN]
    assert "You have taken it." in " ".join(twilio_simulator.calls[1]["said"])


def test_2_passes_it_on_at_once(twilio_simulator: TwilioSimulator, run: Escalating) -> None:
    twilio_simulator.script(ANN, PASSES_ON)
    twilio_simulator.script(BEN, TAKES)
    assert run.run(ANN, Contact("Ben", BEN))["who"] == "Ben"
    assert run.reasons == ["passed on", "completed"]
    assert "It is passed on." in " ".join(twilio_simulator.calls[0]["said"])


def test_a_human_who_only_listens_has_not_taken_it(
    twilio_simulator: TwilioSimulator, run: Escalating
) -> None:
    twilio_simulator.script(ANN, LISTENS)
    twilio_simulator.script(BEN, "voicemail")
    twilio_simulator.script(CLEO, TAKES)
    assert run.run(ANN, BEN, Contact("Cleo", CLEO))["who"] == "Cleo"
    assert run.reasons == ["no-key", "voicemail", "completed"]


def test_a_pressed_key_counts_whatever_detection_says(
    twilio_simulator: TwilioSimulator, run: Escalating
) -> None:
    twilio_simulator.script(ANN, {"outcome": "fax", "presses": ("1",)})
    assert run.run(Contact("Ann", ANN), BEN)["who"] == "Ann"


def test_where_nobody_presses_the_escalation_fails(
    twilio_simulator: TwilioSimulator, run: Escalating
) -> None:
    for number in (ANN, BEN):
        twilio_simulator.script(number, LISTENS)
    with pytest.raises(TwilioCallEndedForGoodError, match="Nobody was reached with 2 calls"):
        run.run(ANN, BEN)
    assert run.reasons == ["no-key", "no-key"]


def test_a_retry_rings_nobody_after_it_was_taken(twilio_simulator: TwilioSimulator, run: Escalating) -> None:
    twilio_simulator.script(ANN, TAKES)
    run.run(Contact("Ann", ANN), BEN)
    if run.store is None:
        return
    run.row.replace_by_next_try()
    run.ti = DatabaseTaskInstance(run.row)
    reached = run.run(Contact("Ann", ANN), BEN)
    assert (reached["who"], reached["key"]) == ("Ann", "1")
    assert dialled(twilio_simulator) == [ANN]


@pytest.mark.parametrize(
    "what", [{"webhook_url": ""}, {"webhook_url": "http://airflow.example.com"}, {"message": "word " * 780}]
)
def test_where_no_key_can_be_asked_for_the_phones_ring_all_the_same_and_the_log_says_why(
    twilio_simulator: TwilioSimulator,
    run: Escalating,
    what: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if "webhook_url" in what:
        fields = json.loads(twilio_simulator.airflow_connection)
        fields["extra"] |= what
        monkeypatch.setenv(VARIABLE, json.dumps(fields))
    twilio_simulator.script(ANN, {"outcome": "human", "talk": 30})
    message = what.get("message", "The import failed.")
    assert run.run(Contact("Ann", ANN), BEN, message=message)["who"] == "Ann"
    assert dialled(twilio_simulator) == [ANN]
    assert any("No key is asked for" in line for line in caplog.messages)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"message": None, "url": "https://example.com"}, "acknowledge and url exclude one another"),
        ({"language": "de-DE"}, "give answer_words with prompt and thanks and passed and goodbye"),
        ({"answer_words": {"hello": "x"}}, "give some of prompt, thanks, passed, goodbye"),
        ({"acknowledge": "yes"}, "acknowledge='yes' is neither True nor False"),
        ({"acknowledge": False, "answer_words": {"thanks": "x"}}, "no effect without acknowledge=True"),
        ({"ask_times": 0}, "ask_times=0"),
    ],
)
def test_what_does_not_go_together_is_refused_at_parse(
    run: Escalating, arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError) as refused:
        run.task(ANN, **arguments)
    assert told in str(refused.value)
