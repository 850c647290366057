"""EscalateCallOperator as a DAG's author meets it: its arguments, templates, mapping and what parsing costs."""

from __future__ import annotations

import inspect
import json
import re
from datetime import timedelta
from typing import Any

import airflow.serialization.serialized_objects as serialization
import pytest
from airflow.sdk import DAG

from airflow_provider_twiliocall.arguments.call_arguments import (
    CALL_ARGUMENTS,
    CREATE_CALL_FIELDS,
    SPEECH_FIELDS,
    CallArguments,
)
from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.callees.contact import Contact
from airflow_provider_twiliocall.exceptions import TwilioCallRefusedError
from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from tests.support.fresh_airflow import run
from tests.support.task_context import context

CONNECTION = {
    "conn_type": "twilio",
    "login": "AC" + "a" * 32,
    "password": "a-token-nobody-has",
    "host": "http://127.0.0.1:9",
    "extra": {"from": "+15557654321"},
}
ANN, BEN = "+15551230001", "+15551230002"
WINDOW = CallWindow("09:00", "20:00", "Europe/Paris")
# Airflow 3.1 has it as a method of SerializedDAG.
SERIALIZER = getattr(serialization, "DagSerialization", serialization.SerializedDAG)


def operator(**arguments: Any) -> EscalateCallOperator:
    return EscalateCallOperator(**{"task_id": "wake", "contacts": [ANN, BEN], "message": "hi", **arguments})


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TWILIO_DEFAULT", json.dumps(CONNECTION))


# Arguments


def test_it_takes_all_that_a_call_may_be_asked_for_but_whom_to_call() -> None:
    shown = set(inspect.signature(EscalateCallOperator.__init__).parameters)

    assert {*CREATE_CALL_FIELDS, *SPEECH_FIELDS} - {"to"} == set(CALL_ARGUMENTS)
    assert set(CALL_ARGUMENTS) < shown
    assert "to" not in shown


def test_editors_are_told_of_the_same_arguments_with_the_types_of_the_other_operator() -> None:
    types = {
        name: parameter.annotation
        for name, parameter in inspect.signature(CreateCallOperator.__init__).parameters.items()
    }

    told = {name: annotation.__forward_arg__ for name, annotation in CallArguments.__annotations__.items()}

    assert told == {name: types[name] for name in told}
    assert set(told) == set(CALL_ARGUMENTS)


def test_every_argument_of_its_own_is_documented_once() -> None:
    text = inspect.getdoc(EscalateCallOperator) or ""
    own = set(inspect.signature(EscalateCallOperator.__init__).parameters) - set(CALL_ARGUMENTS)

    assert {name for name in own if text.count(f":param {name}:") == 1} == own - {"self", "arguments"}


@pytest.mark.parametrize("name", sorted({*CALL_ARGUMENTS} - {"message", "send_digits"}))
def test_each_argument_becomes_the_attribute_of_its_name_and_is_none_by_default(name: str) -> None:
    assert getattr(operator(), name) is None
    assert getattr(operator(**{name: "{{ given }}"}), name) == "{{ given }}"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mesage", "message"),
        ("contact", "contacts"),
        ("round_afer", "round_after"),
        ("retires", "retries"),
        ("min_durations", "min_duration"),
    ],
)
def test_a_misspelt_argument_is_refused_at_parse_with_the_nearest_there_is(name: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"no argument {name}: did you mean {meant}"):
        operator(**{name: "hi"})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("call_window", "give it to each contact, such as Contact('Ann', '+15551234567', call_window=…)"),
        ("do_not_call", "only contacts are rung, so leave those out of it who must not be"),
        ("max_dials", "give rounds"),
        ("accept_answered_by", "only a human counts"),
        ("wait_for_completion", "an escalation always waits"),
    ],
)
def test_an_argument_that_only_the_other_operator_has_is_refused_with_what_to_do_instead(
    name: str, hint: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(f"EscalateCallOperator has no argument {name}: {hint}")):
        operator(**{name: 1})


def test_an_argument_that_is_like_none_is_refused_at_parse() -> None:
    with pytest.raises(TypeError, match="no argument xyzzy: leave it out"):
        operator(xyzzy=1)


def test_arguments_of_airflow_are_airflows() -> None:
    task = operator(retries=3, trigger_rule="one_failed", execution_timeout=timedelta(hours=1))

    assert (task.retries, task.trigger_rule) == (3, "one_failed")


def test_default_args_fill_in_what_a_call_may_be_asked_for() -> None:
    with DAG("alerts", schedule=None, default_args={"from_": "+15550000001", "rounds": 4, "url": None}):
        task = operator()

    assert (task.from_, task.rounds, task.message) == ("+15550000001", 4, "hi")


def test_what_an_escalation_is_by_default() -> None:
    task = operator()

    assert (task.delivery, task.when_killed, task.rounds) == ("at_least_once", "leave", 2)
    assert (task.deferrable, task.wait_for_completion, task.queue_timeout_s) == (True, True, 120)
    assert operator(queue_timeout=None).queue_timeout_s == 120


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"contacts": []}, "contacts names nobody"),
        ({"contacts": [None, ""]}, "contacts names nobody"),
        ({"contacts": [{"name": "Ann"}]}, "lacks to"),
        ({"contacts": [{"to": ANN, "call_window": {"start": "09:00"}}]}, "lacks end and timezone"),
        ({"contacts": "[nonsense"}, "cannot be read"),
        ({"rounds": 0}, "rounds=0 is not a number of rounds: give 1 or more"),
        ({"rounds": True}, "rounds=True"),
        ({"rounds": 1.5}, "rounds=1.5"),
        ({"round_after": -1}, "round_after=-1"),
        ({"round_after": "soon"}, "round_after='soon'"),
        ({"min_duration": timedelta(seconds=-1)}, "min_duration="),
        ({"poll_interval": 0}, "poll_interval=0"),
        ({"queue_timeout": 0}, "queue_timeout=0"),
        ({"delivery": "exactly_once"}, "delivery='exactly_once'"),
        ({"when_killed": "mute"}, "when_killed='mute'"),
        ({"send_digits": "1"}, "send_digits makes Twilio switch .* detection off"),
    ],
)
def test_what_could_not_work_is_refused_at_parse(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        operator(**arguments)


@pytest.mark.parametrize(
    ("contact", "said"),
    [
        (15551234567, r"contacts=1\*+4567 is of type int, not text"),
        (Contact("Ben", "911"), "contacts='911' is an emergency number"),
        ({"name": "Ben", "to": "+1 555 CALL NOW"}, "has letters"),
    ],
)
def test_a_number_that_is_none_is_refused_at_parse(contact: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        operator(contacts=[ANN, contact])


def test_a_number_without_its_country_is_left_to_the_connections_default_country() -> None:
    operator(contacts=[ANN, "5551234567"])


def test_a_list_that_a_template_leaves_empty_is_refused_when_it_runs() -> None:
    task = operator(contacts="{{ var.value.oncall }}")
    task.contacts = "[]"

    with pytest.raises(TwilioCallRefusedError, match="Nothing was dialled: contacts names nobody"):
        task.execute(context())


@pytest.mark.parametrize("message", ["  ", 42])
def test_a_message_that_cannot_be_said_is_refused_before_anything_is_dialled(message: Any) -> None:
    task = operator()
    task.message = message

    with pytest.raises(TwilioCallRefusedError, match="message"):
        task.execute(context())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"message": None}, "one of message, audio_url, url, twiml and application_sid has to say"),
        ({"message": "  "}, "message is empty"),
        ({"message": 42}, "message is int, not text"),
        ({"url": "https://example.com"}, "message and url exclude one another"),
        ({"repeat": 0}, "repeat=0 is not a number of times"),
        ({"from_": "MyCompany"}, "from_='M.*' cannot call a phone number"),
        ({"timeout": 3600}, "timeout=3600 is not a time to let it ring"),
    ],
)
def test_what_is_wrong_with_every_call_is_refused_at_parse(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        operator(**arguments)


def test_what_is_secret_in_a_call_is_masked_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    monkeypatch.setattr("airflow.sdk.log.mask_secret", masked.append)

    task = operator(sip_auth_password="open-sesame", sip_auth_username="ann", call_token="a-token")
    task.contacts = ["wrong"]

    with pytest.raises(TwilioCallRefusedError) as refused:
        task.execute(context())

    assert masked[:2] == ["open-sesame", "a-token"]
    assert "open-sesame" not in str(refused.value)


# DAGs


def test_a_task_is_mapped_over_lists_of_contacts() -> None:
    with DAG("teams", schedule=None) as dag:
        EscalateCallOperator.partial(task_id="wake", message="hi", timeout=20, rounds=3).expand(
            contacts=[[ANN, BEN], BEN, [Contact("Ann", ANN, WINDOW)]]
        )
    mapped = dag.get_task("wake")

    tasks = [
        mapped.unmap({"contacts": contacts, "task_id": "wake", "message": "hi", "rounds": 3})
        for contacts in ([ANN, BEN], BEN, [Contact("Ann", ANN, WINDOW)])
    ]

    assert [task.contacts for task in tasks] == [[ANN, BEN], BEN, [Contact("Ann", ANN, WINDOW)]]
    assert mapped.partial_kwargs["timeout"] == 20


def test_a_misspelt_argument_of_a_mapped_task_is_refused_at_parse() -> None:
    with pytest.raises(TypeError, match="mesage"):
        EscalateCallOperator.partial(task_id="wake", mesage="hi").expand(contacts=[[ANN]])


def test_a_dag_with_contacts_survives_serialization_and_looks_alike_at_every_parse() -> None:
    contacts = [Contact("Ann", ANN, WINDOW), BEN, {"name": "Cleo", "to": "+15551230003"}]
    with DAG("alerts", schedule=None) as dag:
        operator(contacts=contacts)
        EscalateCallOperator.partial(task_id="many", message="hi").expand(contacts=[contacts])

    text = json.dumps(SERIALIZER.to_dict(dag))
    back = SERIALIZER.from_dict(json.loads(text))

    assert text == json.dumps(SERIALIZER.to_dict(dag))
    assert back.task_ids == ["wake", "many"]
    # Airflow 3.1 makes text of a list that has more than JSON in it.
    assert all(who in str(back.get_task("wake").contacts) for who in ("Ann", BEN, "Cleo"))


def test_a_set_of_contacts_serializes_alike_at_every_parse() -> None:
    assert operator(contacts={BEN, ANN}).contacts == [ANN, BEN]


# Templates


@pytest.mark.parametrize("name", [*CALL_ARGUMENTS, "twilio_conn_id"])
def test_each_template_is_rendered_by_airflow(name: str) -> None:
    task = operator()
    setattr(task, name, "{{ word }}")

    task.render_template_fields({"word": "rendered"})

    assert getattr(task, name) == "rendered"


def test_templates_are_rendered_in_names_numbers_and_windows() -> None:
    window = {"start": "09:00", "end": "20:00", "timezone": "{{ zone }}"}
    ann = Contact("{{ who }}", "{{ number }}", window)
    with DAG("templates", schedule=None):
        task = operator(contacts=["{{ number }}", ann, {"name": "{{ who }}", "to": BEN}])

    task.render_template_fields({"who": "Ann", "number": ANN, "zone": "Europe/Paris"})

    number, rendered, third = [Contact.from_value(each) for each in task.contacts]
    assert (number.to, rendered.name, rendered.to, third.name) == (ANN, "Ann", ANN, "Ann")
    assert rendered.window() == WINDOW
    assert ann.to == "{{ number }}"


def test_a_contact_whose_templates_find_nothing_does_not_end_the_rendering() -> None:
    with DAG("templates", schedule=None):
        task = operator(contacts=[Contact("Ann", "{{ nobody }}"), BEN])

    task.render_template_fields({"nobody": None})

    with pytest.raises(ValueError, match="Ann"):
        task.step({}, 0)
    assert task.step({}, 1).params.to == BEN


@pytest.mark.parametrize("native", [True, False])
def test_a_whole_list_may_be_a_template(native: bool) -> None:
    with DAG("templates", schedule=None, render_template_as_native_obj=native):
        task = operator(contacts="{{ oncall }}")

    task.render_template_fields({"oncall": [{"name": "Ann", "to": ANN}, BEN]})

    assert [task.step({}, number).params.to for number in range(2)] == [ANN, BEN]


def test_native_rendering_leaves_a_number_as_it_is_written() -> None:
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        task = operator(contacts=["{{ number }}", Contact("Ben", BEN), BEN])

    task.render_template_fields({"number": ANN})

    assert [task.step({}, number).params.to for number in range(3)] == [ANN, BEN, BEN]


# What parsing costs


def test_parsing_a_dag_that_escalates_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from airflow.sdk import DAG, BaseOperator\n"
        "before = set(sys.modules)\n"
        "from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator\n"
        "EscalateCallOperator(task_id='wake', contacts=['+15551234567'], message='hi')\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = run(program).splitlines()[-1].split()

    heavy = {
        "requests",
        "urllib3",
        "airflow.triggers.base",
        "airflow_provider_twiliocall.hooks.twilio_call",
        "airflow_provider_twiliocall.operators.twilio_call",
        "airflow_provider_twiliocall.twilio.client",
        "airflow_provider_twiliocall.twilio.params",
    }
    assert "airflow_provider_twiliocall.callees.contact" in loaded
    assert heavy.isdisjoint(loaded)
