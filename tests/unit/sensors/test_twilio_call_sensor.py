"""TwilioCallSensor as a DAG's author meets it: its arguments, templates and serialization."""

from __future__ import annotations

import inspect
import json
from datetime import timedelta
from typing import Any

import airflow.serialization.serialized_objects as serialization
import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_provider_twiliocall.exceptions import TwilioCallRefusedError
from airflow_provider_twiliocall.sensors.twilio_call import TwilioCallSensor

SID = "CA" + "1" * 32
# Airflow 3.1 has it as a method of SerializedDAG.
SERIALIZER = getattr(serialization, "DagSerialization", serialization.SerializedDAG)


def sensor(**arguments: Any) -> TwilioCallSensor:
    return TwilioCallSensor(**{"task_id": "wait", "call_sid": SID, **arguments})


def test_every_argument_of_its_own_is_documented() -> None:
    text = inspect.getdoc(TwilioCallSensor) or ""
    parameters = inspect.signature(TwilioCallSensor.__init__).parameters
    documented = [name for name in parameters if f":param {name}:" in text]
    assert set(parameters) - set(documented) == {"self", "kwargs"}


@pytest.mark.parametrize("name", TwilioCallSensor.template_fields)
def test_each_template_is_rendered_by_airflow(name: str) -> None:
    with DAG("templates", schedule=None):
        task = sensor(**{name: "{{ word }}"})
    task.render_template_fields({"word": "rendered"})
    assert getattr(task, name) == "rendered"


def test_a_dag_with_the_sensor_survives_serialization() -> None:
    with DAG("calls", schedule=None) as dag:
        sensor(mode="reschedule", accept_answered_by={"unknown", "human"})
    back = SERIALIZER.from_dict(json.loads(json.dumps(SERIALIZER.to_dict(dag))))
    assert back.get_task("wait").accept_answered_by == ["human", "unknown"]
    assert back.get_task("wait").reschedule


def test_a_poke_interval_may_be_a_timedelta() -> None:
    assert sensor(poke_interval=timedelta(seconds=30)).poke_interval == 30


@pytest.mark.parametrize("conn_id", ["", "None", None])
def test_no_connection_is_refused(conn_id: Any) -> None:
    with pytest.raises(ValueError, match=r"^twilio_conn_id=.* does not name a connection: .* leave it out"):
        sensor(twilio_conn_id=conn_id)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("call_sid", ["None", "", "CA123", "RE" + "1" * 32, None, ["a", "b"]])
def test_what_is_no_sid_is_refused_before_twilio_is_asked(call_sid: Any, deferrable: bool) -> None:
    task = sensor(call_sid="{{ sid }}", deferrable=deferrable)
    task.call_sid = call_sid
    with pytest.raises(TwilioCallRefusedError, match="is not the SID of a call"):
        task.execute({})


@pytest.mark.parametrize("call_sid", ["None", "", "12345", "SM" + "1" * 32, None, [SID], SID.encode()])
def test_what_is_no_sid_is_refused_when_the_dag_is_parsed(call_sid: Any) -> None:
    with pytest.raises(ValueError, match="is not the SID of a call"):
        sensor(call_sid=call_sid)


def test_the_sid_of_another_task_is_judged_when_it_is_known() -> None:
    with DAG("calls", schedule=None):
        output = BaseOperator(task_id="ring").output
        assert sensor(call_sid=output).call_sid == output
        assert TwilioCallSensor.partial(task_id="all").expand(call_sid=[None]).task_id == "all"


def test_a_misspelt_answerer_is_refused_before_twilio_is_asked() -> None:
    task = sensor(accept_answered_by="{{ who }}")
    task.accept_answered_by = {"humen"}
    with pytest.raises(TwilioCallRefusedError, match="did you mean 'human'"):
        task.execute({})


def test_a_misspelt_answerer_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match="did you mean 'human'"):
        sensor(accept_answered_by={"humen"})


@pytest.mark.parametrize("deferrable", ["false", "True", 0, None])
def test_what_is_neither_true_nor_false_is_no_deferrable(deferrable: Any) -> None:
    with pytest.raises(ValueError, match="is neither True nor False: give one of the two, without quotes"):
        sensor(deferrable=deferrable)


def test_a_killed_sensor_has_nothing_to_do_to_the_call() -> None:
    assert TwilioCallSensor.on_kill is BaseOperator.on_kill


def test_resuming_without_an_event_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="resumes with its trigger's event"):
        sensor().execute_complete({})
