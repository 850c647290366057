"""National numbers, with the connection's default country: what reaches Twilio is E.164, or nobody is dialled."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_provider_twiliocall.callees.contact import Contact
from airflow_provider_twiliocall.exceptions import TwilioCallRefusedError
from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier
from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.ring_task import VARIABLE, changed, form
from tests.support.task_context import RecordingTaskInstance, context

CALLEE, CALLER = "+15551230001", "+15017122661"


@pytest.fixture(autouse=True)
def connection(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    twilio_simulator.own(CALLER)
    extra = {"from": "(501) 712-2661", "default_country": "us"}
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, extra=extra))


def play(task: Any, others: dict[str, Any]) -> None:
    given = {**context(RecordingTaskInstance(others={"who": {"return_value": others}})), "dag": task.dag}
    task.render_template_fields(given)
    task.execute(given)


def ring_who(to: Any) -> None:
    """Ring the number that another task has returned."""
    with DAG("national", schedule=None):
        who = CreateCallOperator(task_id="who", to=CALLEE, message="hello")
        task = CreateCallOperator(task_id="ring", to=XComArg(who), message="hello")
    play(task, to)


@pytest.mark.parametrize(
    "to", ["(555) 123-0001", "1 555 123 0001", "011 1 555 123 0001", CALLEE, 15551230001]
)
def test_an_operator_calls_a_national_number(twilio_simulator: TwilioSimulator, to: Any) -> None:
    ring_who(to)
    assert (form(twilio_simulator)["To"], form(twilio_simulator)["From"]) == (CALLEE, CALLER)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (2025550123, "may be more than one number, with a + or in US"),
        ("15551230001.0", "has decimals, as a number that was a float"),
        ("555 123 000", "is too short for a number with the country code +1"),
        ("(555) 123-0001 (12)", "ends with an extension"),
    ],
)
def test_what_may_be_a_strangers_number_is_not_dialled(
    twilio_simulator: TwilioSimulator, to: Any, said: str
) -> None:
    with pytest.raises(TwilioCallRefusedError) as refused:
        ring_who(to)
    assert said in str(refused.value)
    assert twilio_simulator.requests == []


def test_an_integer_is_refused_without_a_default_country(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    with pytest.raises(TwilioCallRefusedError, match="put quotes around it"):
        ring_who(15551230001)
    assert twilio_simulator.requests == []


@pytest.mark.parametrize("contact", ["(555) 123-0001", Contact("Ann", "555.123.0001"), {"to": 15551230001}])
def test_an_escalation_calls_a_national_number(twilio_simulator: TwilioSimulator, contact: Any) -> None:
    twilio_simulator.script("*", {"outcome": "human", "talk": 30})
    # The second is checked by the first one's parameters.
    contacts = ["(555) 123-0002", contact]
    twilio_simulator.script("+15551230002", "busy")
    task = EscalateCallOperator(task_id="ring", contacts="{{ oncall }}", message="hello", poll_interval=0.02)
    given = context(RecordingTaskInstance())
    # As a template of a native DAG leaves them.
    task.contacts = contacts
    task.deferrable = False
    task.execute(given)
    assert [call["to"] for call in twilio_simulator.calls] == ["+15551230002", CALLEE]


@pytest.mark.parametrize("to", ["(555) 123-0001", ["555 123 0001"], "{{ number }}"])
def test_a_notifier_calls_a_national_number(twilio_simulator: TwilioSimulator, to: Any) -> None:
    TwilioCallNotifier(to=to, message="hello", cooldown=None)({"number": "(555) 123-0001"})
    assert (form(twilio_simulator)["To"], form(twilio_simulator)["From"]) == (CALLEE, CALLER)
