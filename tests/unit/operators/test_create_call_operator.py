"""CreateCallOperator as a DAG's author meets it: its arguments, templates, mapping and what parsing costs."""

from __future__ import annotations

import inspect
import json
import logging
from datetime import timedelta
from typing import Any

import airflow.serialization.serialized_objects as serialization
import pytest
from airflow.sdk import DAG

from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.exceptions import TwilioCallFateUnknownError, TwilioCallRefusedError
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.operators.step import Next
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.fresh_airflow import run
from tests.support.task_context import StateStore, context

CONNECTION = {
    "conn_type": "twilio",
    "login": "AC" + "a" * 32,
    "password": "a-token-nobody-has",
    "host": "http://127.0.0.1:9",
    "extra": {"from": "+15557654321"},
}
# Airflow 3.1 has it as a method of SerializedDAG.
SERIALIZER = getattr(serialization, "DagSerialization", serialization.SerializedDAG)


def operator(**arguments: Any) -> CreateCallOperator:
    return CreateCallOperator(**{"task_id": "ring", "to": "+15551234567", "message": "hi", **arguments})


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TWILIO_DEFAULT", json.dumps(CONNECTION))


# Arguments


def test_every_field_of_a_call_is_a_keyword_argument_of_its_own() -> None:
    own = [
        parameter.name
        for parameter in inspect.signature(CreateCallOperator.__init__).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    more = {
        *SPEECH_FIELDS,
        "twilio_conn_id",
        "wait_for_completion",
        "deferrable",
        "poll_interval",
        "accept_answered_by",
        "queue_timeout",
        "call_window",
        "on_outside_window",
        "expires_after",
        "do_not_call",
        "max_dials",
        "redial_after",
        "redial_on",
        "options",
        "ask_times",
        "answer_required",
        "answer_words",
        "delivery",
        "when_killed",
    }
    assert set(own) == {*CREATE_CALL_FIELDS} | more
    assert set(CREATE_CALL_FIELDS) == set(CreateCallParams.model_fields)


def test_every_argument_is_documented_once() -> None:
    text = inspect.getdoc(CreateCallOperator) or ""
    parameters = inspect.signature(CreateCallOperator.__init__).parameters
    documented = [name for name in parameters if text.count(f":param {name}:") == 1]
    assert set(parameters) - set(documented) == {"self", "arguments"}


def test_every_field_of_a_call_is_templated() -> None:
    more = {"accept_answered_by", "call_window", "do_not_call", "options", "answer_words", "twilio_conn_id"}
    assert {*CREATE_CALL_FIELDS, *SPEECH_FIELDS, *more} == set(CreateCallOperator.template_fields)


@pytest.mark.parametrize("name", CREATE_CALL_FIELDS)
def test_each_field_becomes_the_attribute_of_its_name(name: str) -> None:
    assert getattr(operator(**{name: "{{ given }}"}), name) == "{{ given }}"


def test_a_misspelt_argument_is_refused_at_parse() -> None:
    with pytest.raises(TypeError, match="mesage"):
        operator(mesage="hi")


@pytest.mark.parametrize("argument", [{"accept_answered_by": {"human"}}, {"queue_timeout": 60}])
def test_what_only_waiting_gives_a_meaning_to_is_refused_without_it(argument: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"add wait_for_completion=True, or leave .* out"):
        operator(**argument)
    operator(wait_for_completion=True, **argument)


def test_a_delivery_that_does_not_exist_is_refused_at_parse() -> None:
    with pytest.raises(ValueError, match="delivery='exactly_once' is neither"):
        operator(delivery="exactly_once")


def test_a_fate_for_killed_calls_that_does_not_exist_is_refused_at_parse() -> None:
    with pytest.raises(ValueError, match="when_killed='mute' is none of 'cancel', 'hang_up' and 'leave'"):
        operator(when_killed="mute")


def test_a_killed_tasks_call_is_ended_by_default_unless_somebody_is_on_the_line() -> None:
    assert operator().when_killed == "cancel"


def test_killing_a_task_that_has_no_call_yet_asks_nothing_of_airflow_or_twilio(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    created: list[Any] = []
    monkeypatch.setattr(TwilioCallHook, "__init__", lambda hook, *_, **__: created.append(hook))
    with caplog.at_level(logging.DEBUG):
        operator().on_kill()
    assert created == []
    assert caplog.messages == []


@pytest.mark.parametrize("value", [0, -1, True, "5", None, timedelta(0), float("nan"), float("inf")])
def test_a_poll_interval_that_is_no_time_is_refused_at_parse(value: Any) -> None:
    with pytest.raises(ValueError, match="poll_interval="):
        operator(poll_interval=value)


@pytest.mark.parametrize("value", [30, 30.0, timedelta(seconds=30)])
def test_seconds_between_two_looks_may_be_a_timedelta(value: Any) -> None:
    assert operator(poll_interval=value).poll_interval == 30


@pytest.mark.parametrize(
    "value", [0, -1, timedelta(0), float("nan"), float("inf"), 86_401, timedelta(days=2), "soon", [60]]
)
def test_a_queue_timeout_that_is_no_time_is_refused_at_parse(value: Any) -> None:
    with pytest.raises(ValueError, match="queue_timeout="):
        operator(queue_timeout=value, wait_for_completion=True)


@pytest.mark.parametrize("value", [1, 0.5, timedelta(hours=2), 86_400])
def test_a_queue_timeout_may_be_seconds_or_a_timedelta(value: Any) -> None:
    assert operator(queue_timeout=value, wait_for_completion=True).queue_timeout == value


@pytest.mark.parametrize("value", [0, -1, True, "3", 1.5, None])
def test_a_number_of_dials_that_is_none_is_refused_at_parse(value: Any) -> None:
    with pytest.raises(ValueError, match=r"max_dials=.* is not a number of dials: give 1 or more"):
        operator(wait_for_completion=True, max_dials=value)


def test_several_dials_are_refused_for_a_task_that_does_not_wait() -> None:
    with pytest.raises(ValueError, match=r"max_dials .* add wait_for_completion=True"):
        operator(max_dials=3)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ({"redial_after": -1}, "redial_after=-1 has to be 0 s or more"),
        ({"redial_on": {"sleepy"}}, "is not a set of endings"),
        ({"redial_on": {"voicemail"}}, "anybody's answer counts: say who has to answer"),
        ({"expires_after": timedelta(0)}, "expires_after=.* has to be more than 0 seconds"),
        ({"expires_after": "tomorrow"}, "neither a number of seconds nor a timedelta"),
        ({"on_outside_window": "wake"}, "is none of 'wait', 'skip' and 'fail'"),
    ],
)
def test_a_rule_that_is_none_is_refused_at_parse(argument: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        operator(**argument)


USELESS = [
    ({"deferrable": True}, "deferrable", "wait_for_completion=True"),
    ({"on_outside_window": "skip"}, "on_outside_window", "call_window"),
    ({"redial_after": 60}, "redial_after", "max_dials"),
    ({"redial_on": {"busy"}}, "redial_on", "max_dials"),
]
WINDOW = CallWindow("09:00", "20:00", "Europe/Paris")


@pytest.mark.parametrize(("argument", "name", "needed"), USELESS)
def test_what_has_no_effect_without_another_argument_is_refused_at_parse(
    argument: dict[str, Any], name: str, needed: str
) -> None:
    with pytest.raises(
        ValueError, match=f"^{name} has no effect without {needed}: give {needed} too, or leave"
    ):
        operator(**argument)


@pytest.mark.parametrize(("argument", "name", "needed"), USELESS)
def test_what_has_no_effect_may_come_from_default_args(
    argument: dict[str, Any], name: str, needed: str
) -> None:
    with DAG("mixed", schedule=None, default_args=argument):
        assert getattr(operator(), name) in (*argument.values(), ["busy"])


@pytest.mark.parametrize(
    "arguments",
    [
        {"deferrable": True, "wait_for_completion": True},
        {"deferrable": True, "call_window": WINDOW},
        {"deferrable": True, "expires_after": timedelta(hours=1)},
        {"deferrable": False},
        {"on_outside_window": "skip", "call_window": WINDOW},
        {"redial_after": 60, "redial_on": "busy", "max_dials": 2, "wait_for_completion": True},
        {"deferrable": None, "on_outside_window": None, "redial_after": None, "redial_on": None},
    ],
)
def test_what_has_an_effect_passes(arguments: dict[str, Any]) -> None:
    operator(**arguments)


def test_deferring_by_airflows_setting_is_no_mistake_of_a_task_that_does_not_wait() -> None:
    program = (
        "from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator\n"
        "print(CreateCallOperator(task_id='a', to='+15551234567', message='hi').deferrable)"
    )
    assert run(program, AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE="True").split()[-1] == "True"


def test_a_mapped_task_may_have_what_has_no_effect() -> None:
    with DAG("campaign", schedule=None) as dag:
        CreateCallOperator.partial(task_id="ring", message="hi", deferrable=True).expand(to=["+15551230001"])
    given = {"to": "+15551230001", "task_id": "ring", "message": "hi", "deferrable": True}
    assert dag.get_task("ring").unmap(given).deferrable


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({"start": "09:00", "end": "09:00", "timezone": "UTC"}, "start and end are both 09:00"),
        ({"start": "09:00", "end": "20:00", "timezone": "Mars/Base"}, "timezone='Mars/Base'"),
        ({"start": "09:00", "end": "20:00"}, "lacks timezone"),
    ],
)
def test_a_window_that_cannot_be_used_is_refused_at_parse(window: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        operator(call_window=window)


def test_a_window_with_templates_is_looked_at_when_they_are_rendered() -> None:
    operator(call_window={"start": "09:00", "end": "20:00", "timezone": "{{ params.zone }}"})


def test_rules_come_back_from_a_serialized_dag() -> None:
    with DAG("reminders", schedule=None) as dag:
        operator(
            wait_for_completion=True,
            call_window=CallWindow("09:00", "20:00", "Europe/Paris"),
            do_not_call={"+15551230002", "+15551230001"},
            max_dials=2,
            redial_on={"no-answer", "busy"},
        )
    back = SERIALIZER.from_dict(json.loads(json.dumps(SERIALIZER.to_dict(dag)))).get_task("ring")

    assert CallWindow.from_value(back.call_window) == CallWindow("09:00", "20:00", "Europe/Paris")
    assert back.do_not_call == ["+15551230001", "+15551230002"]


def test_a_ring_time_out_of_default_args_is_refused_with_a_hint_at_them() -> None:
    with (
        DAG("alerts", schedule=None, default_args={"timeout": 3600}),
        pytest.raises(ValueError, match=r"timeout=3600 .*look in default_args"),
    ):
        operator()


@pytest.mark.parametrize(("setting", "expected"), [("True", "True"), ("False", "False")])
def test_whether_to_defer_follows_airflows_setting(setting: str, expected: str) -> None:
    program = (
        "from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator\n"
        "from airflow_provider_twiliocall.sensors.twilio_call import TwilioCallSensor\n"
        "print(CreateCallOperator(task_id='a', to='+15551234567', message='hi').deferrable,"
        " TwilioCallSensor(task_id='b', call_sid='CA' + '0' * 32).deferrable)"
    )
    printed = run(program, AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE=setting)
    assert printed.split()[-2:] == [expected, expected]


def test_a_task_that_does_not_wait_is_given_no_deferral_by_default() -> None:
    assert not operator().deferrable


# DAGs


def test_a_set_of_answerers_serializes_alike_at_every_parse() -> None:
    task = operator(wait_for_completion=True, accept_answered_by={"unknown", "human", "fax"})
    assert task.accept_answered_by == ["fax", "human", "unknown"]


def test_a_task_is_mapped_over_numbers() -> None:
    with DAG("campaign", schedule=None) as dag:
        CreateCallOperator.partial(task_id="ring", message="hi", timeout=20).expand(
            to=["+15551230001", "+15551230002"]
        )
    mapped = dag.get_task("ring")
    numbers = [
        mapped.unmap({"to": to, "task_id": "ring", "message": "hi"}).to
        for to in ("+15551230001", "+15551230002")
    ]
    assert numbers == ["+15551230001", "+15551230002"]
    assert mapped.partial_kwargs["timeout"] == 20


def test_a_dag_with_calls_survives_serialization() -> None:
    with DAG("calls", schedule=None) as dag:
        operator(wait_for_completion=True, accept_answered_by={"human"}, status_callback_event=["ringing"])
        CreateCallOperator.partial(task_id="many", message="hi").expand(to=["+15551230001"])
    text = json.dumps(SERIALIZER.to_dict(dag))
    back = SERIALIZER.from_dict(json.loads(text))
    ring = back.get_task("ring")
    assert back.task_ids == ["ring", "many"]
    assert (ring.to, ring.message, ring.accept_answered_by) == ("+15551234567", "hi", ["human"])


# Templates


@pytest.mark.parametrize("name", CreateCallOperator.template_fields)
def test_each_template_is_rendered_by_airflow(name: str) -> None:
    with DAG("templates", schedule=None):
        needed = {"options": {"1": "yes"}} if name == "answer_words" else {}
        task = operator(**{"wait_for_completion": True, **needed, name: "{{ word }}"})
    task.render_template_fields({"word": "rendered"})
    assert getattr(task, name) == "rendered"


def test_templates_inside_lists_are_rendered() -> None:
    with DAG("templates", schedule=None):
        task = operator(status_callback_event=["{{ word }}"])
    task.render_template_fields({"word": "ringing"})
    assert task.status_callback_event == ["ringing"]


@pytest.mark.parametrize("name", CreateCallOperator.template_fields)
@pytest.mark.parametrize("written", ["+15551234567", "404", "{{ word }}"])
def test_native_rendering_leaves_text_as_it_is_written(name: str, written: str) -> None:
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        task = operator(wait_for_completion=True)
    setattr(task, name, written)
    task.render_template_fields({"word": "+15551234567"})
    assert getattr(task, name) == written.replace("{{ word }}", "+15551234567")


# Secrets


def test_what_is_secret_in_a_call_is_masked_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    monkeypatch.setattr("airflow.sdk.log.mask_secret", masked.append)
    task = operator(sip_auth_password="open-sesame", sip_auth_username="ann", call_token="a-call-token")
    task.to = "wrong"
    with pytest.raises(TwilioCallRefusedError) as refused:
        task.execute(context())
    assert masked[:2] == ["open-sesame", "a-call-token"]
    assert "open-sesame" not in str(refused.value) and "a-call-token" not in str(refused.value)


def test_resuming_without_an_event_fails_for_good_because_a_retry_would_dial_again() -> None:
    with pytest.raises(TwilioCallFateUnknownError, match="was placed"):
        operator(wait_for_completion=True).execute_complete(context())


def test_resuming_without_an_event_is_left_to_a_retry_that_finds_the_call_in_the_journal() -> None:
    with pytest.raises(KeyError, match="call_sid"):
        operator(wait_for_completion=True).execute_complete(context(store=StateStore()))


# What comes after an outcome


@pytest.mark.parametrize(
    ("reason", "alone", "redialling"),
    [
        (Reason.COMPLETED, Next.SUCCEED, Next.SUCCEED),
        (Reason.PLACED, Next.SUCCEED, Next.SUCCEED),
        (Reason.LEFT_QUEUE, Next.SUCCEED, Next.SUCCEED),
        (Reason.BUSY, Next.RETRY, Next.DIAL),
        (Reason.NO_ANSWER, Next.RETRY, Next.DIAL),
        (Reason.FAILED, Next.RETRY, Next.DIAL),
        (Reason.VOICEMAIL, Next.RETRY, Next.DIAL),
        (Reason.QUEUE_TIMEOUT, Next.RETRY, Next.RETRY),
        (Reason.ENDED_BY_US, Next.RETRY, Next.RETRY),
        (Reason.NOT_PLACED, Next.RETRY, Next.RETRY),
        (Reason.MAYBE_PLACED, Next.RETRY, Next.RETRY),
        (Reason.WINDOW_CLOSED, Next.DIAL, Next.DIAL),
        (Reason.TOO_LATE, Next.DIAL, Next.DIAL),
        (Reason.CANCELED_ELSEWHERE, Next.GIVE_UP, Next.GIVE_UP),
        (Reason.REFUSED, Next.GIVE_UP, Next.GIVE_UP),
        (Reason.UNKNOWN, Next.GIVE_UP, Next.GIVE_UP),
    ],
)
def test_what_comes_after_each_outcome(reason: Reason, alone: Next, redialling: Next) -> None:
    outcome = CallOutcome(reason)
    assert operator(wait_for_completion=True).next_after(outcome) is alone
    assert operator(wait_for_completion=True, max_dials=3).next_after(outcome) is redialling


def test_what_dialling_again_cannot_help_is_given_up() -> None:
    outcome = CallOutcome(Reason.FAILED, is_hopeless=True)
    assert operator(wait_for_completion=True, max_dials=3).next_after(outcome) is Next.GIVE_UP


# What parsing costs


def test_parsing_a_dag_with_calls_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from airflow.sdk import DAG, BaseOperator, BaseSensorOperator\n"
        "from airflow.providers.common.compat.sdk import conf\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_twiliocall.operators.twilio_call\n"
        "import airflow_provider_twiliocall.sensors.twilio_call\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = run(program).splitlines()[-1].split()
    assert "airflow_provider_twiliocall.operators.twilio_call" in loaded
    heavy = {
        "requests",
        "urllib3",
        "airflow.triggers.base",
        "airflow_provider_twiliocall.hooks.twilio_call",
        "airflow_provider_twiliocall.twilio.client",
        "airflow_provider_twiliocall.twilio.params",
    }
    assert heavy.isdisjoint(loaded)


def test_a_mapped_task_has_the_defaults_of_a_plain_one() -> None:
    with DAG("many", schedule=None):
        mapped = CreateCallOperator.partial(task_id="many", message="hi").expand(to=["+15551230001"])
        plain = CreateCallOperator(task_id="plain", message="hi", to="+15551230001")
    names = ("inlets", "outlets", "retries", "trigger_rule", "pool", "queue", "weight_rule")
    assert {name: getattr(mapped, name) for name in names} == {name: getattr(plain, name) for name in names}
