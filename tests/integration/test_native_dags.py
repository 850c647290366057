"""Tasks of a DAG with native rendering, rendered by Airflow: what reaches Twilio is what is written."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred
from airflow.sdk import DAG
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_provider_twiliocall.callees.contact import Contact
from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.sensors.twilio_call import TwilioCallSensor
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.twilio.twiml import message_to_twiml
from tests.integration.ring_task import ANSWERS, SOMEBODY, SOMEBODY_ELSE, form
from tests.support.task_context import RecordingTaskInstance, context

pytestmark = pytest.mark.usefixtures("connection")

CONTEXT = {"ds_nodash": "20261125", "number": SOMEBODY, "pin": 1234, "nothing": None}
LISTED = [SOMEBODY, SOMEBODY_ELSE]


@pytest.fixture(params=[True, False], ids=["native", "text"])
def dag(request: pytest.FixtureRequest) -> DAG:
    return DAG("numbers", schedule=None, render_template_as_native_obj=request.param)


def ring(dag: DAG, ti: RecordingTaskInstance | None = None, **arguments: Any) -> CreateCallOperator:
    """Render and execute a task as Airflow does."""
    task = CreateCallOperator(
        **{"task_id": "ring", "dag": dag, "to": ANSWERS, "message": "hello", **arguments}
    )
    return play(task, ti or RecordingTaskInstance())


def play(task: Any, ti: RecordingTaskInstance) -> Any:
    given = {**context(ti), **CONTEXT, "dag": task.dag, "dag_run": SimpleNamespace(conf={})}
    task.render_template_fields(given)
    task = given.get("task") or task
    task.execute(given)
    return task


def said(message: str) -> str:
    return message_to_twiml(message)


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"to": SOMEBODY}, {"To": SOMEBODY}),
        ({"to": "{{ number }}"}, {"To": SOMEBODY}),
        ({"from_": "+15557654321"}, {"From": "+15557654321"}),
        ({"message": "404"}, {"Twiml": said("404")}),
        ({"message": "{{ ds_nodash }}"}, {"Twiml": said("20261125")}),
        ({"message": "{{ pin }}"}, {"Twiml": said("1234")}),
        ({"message": "[1, 2]"}, {"Twiml": said("[1, 2]")}),
        ({"message": "{{ pin }}: {{ number }}"}, {"Twiml": said(f"1234: {SOMEBODY}")}),
        ({"send_digits": "1234"}, {"SendDigits": "1234"}),
        ({"send_digits": "0042"}, {"SendDigits": "0042"}),
        ({"send_digits": "{{ pin }}"}, {"SendDigits": "1234"}),
        (
            {"to": "sip:a@b.example.com", "sip_auth_username": "100", "sip_auth_password": "1_000"},
            {"SipAuthUsername": "100", "SipAuthPassword": "1_000"},
        ),
        ({"timeout": "30"}, {"Timeout": "30"}),
        ({"record": "{{ true }}"}, {"Record": "true"}),
        ({"call_reason": "{{ pin }}"}, {"CallReason": "1234"}),
        (
            {
                "status_callback": "https://example.com",
                "status_callback_event": "{{ ['ringing', 'answered'] }}",
            },
            {"StatusCallbackEvent": "answered"},
        ),
    ],
)
def test_an_argument_reaches_twilio_as_it_is_written(
    twilio_simulator: TwilioSimulator, dag: DAG, arguments: dict[str, Any], sent: dict[str, str]
) -> None:
    twilio_simulator.own("+15557654321")
    ring(dag, **arguments)
    assert {name: form(twilio_simulator)[name] for name in sent} == sent


@pytest.mark.parametrize(
    "do_not_call",
    [
        [SOMEBODY, SOMEBODY_ELSE],
        f"{SOMEBODY}, {SOMEBODY_ELSE}",
        SOMEBODY,
        "{{ [number] }}",
        ["{{ number }}"],
        "{{ number }}",
    ],
)
def test_who_is_listed_is_not_called(twilio_simulator: TwilioSimulator, dag: DAG, do_not_call: Any) -> None:
    with pytest.raises(AirflowSkipException, match="do-not-call list"):
        ring(dag, to=SOMEBODY, do_not_call=do_not_call)
    assert twilio_simulator.requests == []


def test_a_number_of_another_task_reaches_twilio(twilio_simulator: TwilioSimulator, dag: DAG) -> None:
    with dag:
        who = CreateCallOperator(task_id="who", to=ANSWERS, message="hello")
        task = CreateCallOperator(task_id="ring", to=XComArg(who), message="hello")
    play(task, RecordingTaskInstance(others={"who": {"return_value": SOMEBODY}}))
    assert form(twilio_simulator)["To"] == SOMEBODY


@pytest.mark.parametrize("to", [LISTED, "of another task"], ids=["literal", "xcom"])
def test_a_mapped_task_calls_the_numbers_it_is_mapped_over(
    twilio_simulator: TwilioSimulator, dag: DAG, to: Any
) -> None:
    with dag:
        who = CreateCallOperator(task_id="who", to=ANSWERS, message="hello")
        numbers = XComArg(who) if isinstance(to, str) else to
        CreateCallOperator.partial(task_id="ring", message="404", send_digits="{{ pin }}").expand(to=numbers)
    ti = RecordingTaskInstance(map_index=1, others={"who": {"return_value": LISTED}})
    play(dag.get_task("ring"), ti)
    sent = form(twilio_simulator)
    assert (sent["To"], sent["Twiml"], sent["SendDigits"]) == (SOMEBODY_ELSE, said("404"), "1234")


@pytest.mark.parametrize(
    "contacts",
    [
        LISTED,
        "{{ [number, number] }}",
        ["{{ number }}"],
        [{"name": "007", "to": SOMEBODY}],
        [Contact("{{ pin }}", "{{ number }}")],
        f"{SOMEBODY}; {SOMEBODY_ELSE}",
    ],
)
def test_contacts_are_called_by_their_numbers(
    twilio_simulator: TwilioSimulator, dag: DAG, contacts: Any
) -> None:
    # Longer than a busy machine takes for the first look.
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "ring": 5_000})
    task = EscalateCallOperator(
        task_id="wake", dag=dag, contacts=contacts, message="{{ ds_nodash }}", timeout=600
    )
    with pytest.raises(TaskDeferred):
        play(task, RecordingTaskInstance())
    assert form(twilio_simulator)["To"] == SOMEBODY
    assert form(twilio_simulator)["Twiml"] == said("20261125")


def test_a_template_that_gives_contacts_gives_those_very_contacts() -> None:
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        task = EscalateCallOperator(task_id="wake", contacts="{{ oncall }}", message="hi")
    oncall = [Contact("Ann", SOMEBODY)]
    task.render_template_fields({"oncall": oncall})
    assert task.contacts is oncall


def test_a_sensor_reads_text_as_text(dag: DAG) -> None:
    task = TwilioCallSensor(task_id="wait", dag=dag, call_sid="{{ sid }}", twilio_conn_id="007")
    task.render_template_fields({"sid": "1_0"})
    assert (task.call_sid, task.twilio_conn_id) == ("1_0", "007")
