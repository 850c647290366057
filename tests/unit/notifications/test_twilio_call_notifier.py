"""TwilioCallNotifier as a DAG's author meets it: its arguments, templates, what it says, and what parsing costs."""

from __future__ import annotations

import inspect
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.sdk import BaseNotifier, TaskInstanceState
from airflow.sdk.definitions.deadline import AsyncCallback
from pydantic import TypeAdapter

from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.arguments.templated import callees_of
from airflow_provider_twiliocall.notifications.alert_report import AlertReport
from airflow_provider_twiliocall.notifications.alert_words import AlertWords
from airflow_provider_twiliocall.notifications.default_message import LONGEST_REASON, default_message
from airflow_provider_twiliocall.notifications.twilio_call import (
    TwilioCallNotificationError,
    TwilioCallNotifier,
    send_twilio_call_notification,
)
from tests.support.fresh_airflow import run

NUMBER = "+15551234567"


def notifier(**arguments: Any) -> TwilioCallNotifier:
    return TwilioCallNotifier(**{"to": NUMBER, **arguments})


def whom(notifier: TwilioCallNotifier) -> list[Any]:
    return callees_of(notifier.to)


# Arguments


def test_every_field_of_a_call_is_a_keyword_argument_of_its_own() -> None:
    own = [
        parameter.name
        for parameter in inspect.signature(TwilioCallNotifier.__init__).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    assert set(own) == {*CREATE_CALL_FIELDS, *SPEECH_FIELDS, "cooldown", "twilio_conn_id", "delivery"}


def test_every_argument_is_documented_once() -> None:
    text = inspect.getdoc(TwilioCallNotifier) or ""
    parameters = inspect.signature(TwilioCallNotifier.__init__).parameters
    documented = [name for name in parameters if text.count(f":param {name}:") == 1]
    assert set(parameters) - set(documented) == {"self", "arguments"}


def test_every_field_of_a_call_is_templated_under_a_name_that_no_context_uses() -> None:
    from airflow.sdk.definitions.context import KNOWN_CONTEXT_KEYS

    assert {*CREATE_CALL_FIELDS, *SPEECH_FIELDS, "twilio_conn_id"} == set(TwilioCallNotifier.template_fields)
    assert KNOWN_CONTEXT_KEYS.isdisjoint(TwilioCallNotifier.template_fields)


@pytest.mark.parametrize("name", [name for name in (*CREATE_CALL_FIELDS, *SPEECH_FIELDS) if name != "to"])
def test_each_field_becomes_the_attribute_of_its_name(name: str) -> None:
    assert getattr(notifier(**{name: "{{ given }}"}), name) == "{{ given }}"


def test_a_misspelt_argument_is_refused() -> None:
    with pytest.raises(TypeError, match=r"TwilioCallNotifier has no argument mesage: did you mean message\?"):
        notifier(mesage="hi")


def test_an_argument_that_only_operators_have_is_refused_with_the_reason() -> None:
    with pytest.raises(TypeError, match="an alert does not wait for the end of the call, so leave it out"):
        notifier(wait_for_completion=True)


def test_airflow_may_make_it_with_a_context() -> None:
    assert notifier(context={"reason": "late"}).context == {"reason": "late"}


def test_it_has_the_name_that_airflow_gives_such_things() -> None:
    assert send_twilio_call_notification is TwilioCallNotifier
    assert issubclass(TwilioCallNotifier, BaseNotifier)


def test_it_can_be_the_callback_of_a_deadline() -> None:
    callback = AsyncCallback(TwilioCallNotifier, kwargs={"to": NUMBER, "cooldown": 600})
    assert callback.path == "airflow_provider_twiliocall.notifications.twilio_call.TwilioCallNotifier"
    assert TwilioCallNotifier(**callback.kwargs, context={"dag_run": {}}).context == {"dag_run": {}}


@pytest.mark.parametrize("message", ["", "   ", "\n"])
def test_an_empty_message_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match="message is empty"):
        notifier(message=message)


@pytest.mark.parametrize("message", [42, b"hi", ["hi"], True])
def test_a_message_that_is_no_text_is_refused(message: Any) -> None:
    with pytest.raises(ValueError, match=f"message is {type(message).__name__}, not text"):
        notifier(message=message)


@pytest.mark.parametrize("instead", ["audio_url", "url", "twiml", "application_sid"])
def test_a_message_and_another_thing_to_be_heard_are_refused(instead: str) -> None:
    with pytest.raises(ValueError, match=f"message and {instead} exclude one another"):
        notifier(message="hi", **{instead: "https://example.com"})


def test_a_recording_and_instructions_are_refused() -> None:
    with pytest.raises(ValueError, match="audio_url and url exclude one another"):
        notifier(audio_url="https://example.com/siren.mp3", url="https://example.com")


@pytest.mark.parametrize(
    ("name", "heard"),
    [
        ("voice", "audio_url"),
        ("language", "audio_url"),
        ("verbatim", "audio_url"),
        ("voice", "url"),
        ("repeat", "url"),
        ("repeat", "twiml"),
    ],
)
def test_a_way_of_saying_for_what_is_not_said_is_refused(name: str, heard: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has a meaning only for a message.*: leave it out"):
        notifier(**{name: "{{ given }}", heard: "https://example.com"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("voice", "Amy, please"),
        ("language", "Esperanto!"),
        ("repeat", 0),
        ("repeat", "often"),
        ("verbatim", "perhaps"),
    ],
)
def test_a_way_of_saying_that_does_not_exist_is_refused_before_an_alert_has_to_ring(
    name: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=f"{name}='?{value}"):
        notifier(**{name: value})


@pytest.mark.parametrize(
    "way",
    [
        {"voice": "Polly.Amy", "language": "en-GB", "repeat": 2, "verbatim": True},
        {"audio_url": "https://example.com/siren.mp3", "repeat": "3"},
        {"repeat": "{{ var.value.times }}", "verbatim": "{{ var.value.verbatim }}"},
        {"verbatim": "false"},
    ],
)
def test_a_way_of_saying_is_taken(way: dict[str, Any]) -> None:
    alert = notifier(**way)
    assert {name: getattr(alert, name) for name in way} == way


@pytest.mark.parametrize("to", [[], "", "  ", (), None, [None, ""], "[]", set()])
def test_an_empty_list_of_contacts_is_refused(to: Any) -> None:
    with pytest.raises(ValueError, match="to names nobody"):
        notifier(to=to)


def test_a_list_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^to: it begins like a list .* cannot be read as one"):
        notifier(to="[+15551234567")


@pytest.mark.parametrize("cooldown", [timedelta(seconds=-1), -5, 0, timedelta(0), "PT0S"])
def test_a_cooldown_of_no_time_is_refused_and_says_how_to_have_none(cooldown: Any) -> None:
    with pytest.raises(ValueError, match=r"cooldown=.* more than 0; None switches it off"):
        notifier(cooldown=cooldown)


@pytest.mark.parametrize("cooldown", ["15 minutes", "", float("nan"), float("inf"), 1e300, True, [60]])
def test_a_cooldown_that_is_no_time_is_refused(cooldown: Any) -> None:
    with pytest.raises(ValueError, match=r"cooldown=.* neither a timedelta nor a number of seconds"):
        notifier(cooldown=cooldown)


def test_a_cooldown_may_be_seconds_a_timedelta_or_none_and_is_15_minutes_by_default() -> None:
    assert notifier(cooldown=90).cooldown == timedelta(seconds=90)
    assert notifier(cooldown=timedelta(hours=1)).cooldown == timedelta(hours=1)
    assert notifier(cooldown=None).cooldown is None
    assert notifier().cooldown == timedelta(minutes=15)


@pytest.mark.parametrize("cooldown", [timedelta(minutes=15), timedelta(days=2, seconds=3.5)])
def test_a_cooldown_survives_an_executor_that_sends_its_work_as_json(cooldown: timedelta) -> None:
    sent = TypeAdapter(dict[str, Any]).dump_json({"to": NUMBER, "cooldown": cooldown})
    received = TypeAdapter(dict[str, Any]).validate_json(sent)
    assert isinstance(received["cooldown"], str)
    assert notifier(**received).cooldown == cooldown


def test_a_delivery_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="delivery='exactly_once' is neither"):
        notifier(delivery="exactly_once")
    assert notifier().delivery == "at_least_once"


# Whom to call


@pytest.mark.parametrize(
    "to",
    [
        ["+15551230001", "+15551230002"],
        ("+15551230001", "+15551230002"),
        {"+15551230001", "+15551230002"},
        "['+15551230001', '+15551230002']",
        '["+15551230001", "+15551230002"]',
        "('+15551230001', '+15551230002')",
        "+15551230001, +15551230002",
        "+15551230001\n+15551230002\n",
    ],
)
def test_a_list_may_come_as_a_template_renders_it(to: Any) -> None:
    assert [contact.strip() for contact in whom(notifier(to=to))] == ["+15551230001", "+15551230002"]


def test_a_sip_address_in_text_keeps_its_parameters() -> None:
    text = "sip:a@example.com;transport=tcp; +15551230001"
    assert whom(notifier(to=text)) == ["sip:a@example.com;transport=tcp", "+15551230001"]


def test_a_number_may_have_blanks() -> None:
    assert whom(notifier(to="+33 6 12 34 56 78")) == ["+33 6 12 34 56 78"]


def test_a_template_is_left_for_later() -> None:
    assert whom(notifier(to="{{ var.json.oncall }}")) == ["{{ var.json.oncall }}"]


# Templates


def message_of(alert: TwilioCallNotifier, context: dict[str, Any] | None = None) -> str | None:
    """What the alert says."""
    return AlertWords(vars(alert), context or {}, AlertReport(alert.say, alert.cooldown)).message()


def rendered(notifier: TwilioCallNotifier, context: dict[str, Any]) -> TwilioCallNotifier:
    notifier.render_template_fields(context)  # type: ignore[arg-type]
    return notifier


def test_fields_are_rendered_from_the_context() -> None:
    alert = rendered(notifier(to="{{ phone }}", message="{{ run_id }}"), {"phone": NUMBER, "run_id": "r1"})
    assert (alert.to, alert.message) == (NUMBER, "r1")


def test_a_message_that_cannot_be_rendered_gives_way_to_the_default_one() -> None:
    alert = rendered(notifier(to="{{ phone }}", message="{{ ti.task_id }}"), {"phone": NUMBER})
    assert alert.to == NUMBER
    assert "Airflow alert. DAG nightly" in (message_of(alert, {"dag_run": {"dag_id": "nightly"}}) or "")


@pytest.mark.parametrize("name", ["audio_url", "voice", "language", "repeat", "verbatim"])
def test_a_way_of_saying_that_cannot_be_rendered_gives_way_to_its_default(name: str) -> None:
    alert = rendered(notifier(**{name: "{{ var.value.away }}"}), {})
    assert getattr(alert, name) is None
    assert "Airflow alert." in (message_of(alert) or "")


@pytest.mark.parametrize("instead", ["audio_url", "url", "twiml", "application_sid"])
def test_what_stands_in_for_the_message_and_is_rendered_to_nothing_gives_way_to_the_default_one(
    instead: str,
) -> None:
    alert = rendered(notifier(**{instead: "{{ nothing }}"}), {"nothing": None})
    assert "Airflow alert." in (message_of(alert) or "")


@pytest.mark.parametrize("message", ["{{ nothing }}", "{{ None }}"])
def test_a_message_rendered_to_nothing_gives_way_to_the_default_one(message: str) -> None:
    alert = rendered(notifier(message=message), {"nothing": " "})
    assert "Airflow alert." in (message_of(alert) or "")


@pytest.mark.parametrize("instead", ["audio_url", "url"])
def test_without_a_message_nothing_is_added_to_what_is_heard_instead(instead: str) -> None:
    alert = notifier(**{instead: "https://example.com/alert"})
    assert message_of(alert) is None


def test_the_same_notifier_says_each_time_what_the_time_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str | None] = []
    monkeypatch.setattr(TwilioCallNotifier, "notify", lambda self, context: said.append(self.message))
    alert = notifier(message="{{ run_id }} failed")
    alert({"run_id": "one"})
    alert({"run_id": "two"})
    assert said == ["one failed", "two failed"]


# What is said by default

FAILED_TASK = {
    "ti": SimpleNamespace(
        dag_id="nightly",
        task_id="load_orders",
        map_index=-1,
        try_number=2,
        state=TaskInstanceState.FAILED,
        end_date=pendulum.datetime(2026, 3, 1, 14, 5),
    ),
    "exception": ValueError("no rows\nsecond line"),
}


def test_the_message_of_a_failed_task_has_its_dag_try_time_and_the_first_line_of_its_exception() -> None:
    assert default_message(FAILED_TASK) == (
        "Airflow alert. Task load_orders of DAG nightly failed on try 2, at 14:05 UTC on 1 March. "
        "ValueError: no rows."
    )


def test_the_message_says_that_a_task_will_be_tried_again() -> None:
    state = TaskInstanceState.UP_FOR_RETRY
    ti = SimpleNamespace(**{**vars(FAILED_TASK["ti"]), "state": state, "map_index": 3})  # type: ignore
    told = default_message({"ti": ti})
    assert "Task load_orders, number 3, of DAG nightly failed on try 2 and will be tried again, at" in told


@pytest.mark.parametrize(
    ("state", "became"),
    [
        (TaskInstanceState.SUCCESS, "succeeded"),
        (TaskInstanceState.SKIPPED, "was skipped"),
        (TaskInstanceState.RUNNING, "has started"),
        ("success", "succeeded"),
        (None, "failed"),
    ],
)
def test_a_task_is_said_to_have_failed_only_if_it_has(state: Any, became: str) -> None:
    told = default_message({"ti": SimpleNamespace(task_id="load", dag_id="nightly", state=state)})
    assert told.startswith(f"Airflow alert. Task load of DAG nightly {became}, at ")


def test_the_message_of_a_failed_dag_has_the_task_that_failed() -> None:
    told = default_message({**FAILED_TASK, "exception": None, "reason": "task_failure"})
    assert told.startswith("Airflow alert. DAG nightly failed, at ")
    assert told.endswith(". Task load_orders failed.")


def test_the_message_of_a_dag_out_of_time_has_the_reason() -> None:
    told = default_message({"dag": SimpleNamespace(dag_id="nightly"), "run_id": "r", "reason": "timed_out"})
    assert told.startswith("Airflow alert. DAG nightly failed, at ")
    assert told.endswith(". Reason: timed out.")


def test_a_dag_that_succeeded_is_not_said_to_have_failed() -> None:
    told = default_message({"dag": SimpleNamespace(dag_id="nightly"), "reason": "success"})
    assert told.startswith("Airflow alert. DAG nightly succeeded, at ")


def test_the_message_of_a_missed_deadline_is_made_from_plain_data() -> None:
    context = {"dag_run": {"dag_id": "nightly"}, "deadline": {"deadline_time": "2026-03-01T06:00:00Z"}}
    assert default_message(context) == (
        "Airflow alert. DAG nightly missed its deadline, at 06:00 UTC on 1 March."
    )


def test_times_are_those_of_the_dags_time_zone() -> None:
    dag = SimpleNamespace(dag_id="nightly", timezone=pendulum.timezone("Europe/Paris"))
    assert "at 15:05 CET on 1 March" in default_message({**FAILED_TASK, "dag": dag})


def test_an_exception_may_be_text_or_have_none_and_is_cut() -> None:
    assert default_message({**FAILED_TASK, "exception": "killed"}).endswith(". killed.")
    assert default_message({**FAILED_TASK, "exception": KeyError()}).endswith(". KeyError.")
    assert len(default_message({**FAILED_TASK, "exception": "x " * 5000})) < LONGEST_REASON + 200


class Broken:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("the API server is away")

    def __str__(self) -> str:
        raise RuntimeError("not even this")


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"ti": None, "exception": None},
        {"ti": Broken()},
        {"ti": Broken(), "exception": Broken(), "dag": Broken(), "reason": Broken()},
        {"deadline": {"deadline_time": "not a time"}},
        {"deadline": 5},
        {"dag_run": Broken(), "deadline": {"deadline_time": Broken()}},
        {"dag": SimpleNamespace(timezone="Mars/Phobos"), "reason": ""},
    ],
)
def test_whatever_is_missing_or_broken_something_is_said(context: dict[str, Any]) -> None:
    assert default_message(context).startswith("Airflow alert. ")


# Errors


def test_an_error_has_every_failure() -> None:
    error = TwilioCallNotificationError(["one: away", "two: refused"])
    assert error.failures == ["one: away", "two: refused"]
    assert str(error) == "Not everybody could be called:\n- one: away\n- two: refused"


# What parsing costs


def test_parsing_a_dag_with_alerts_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from airflow.sdk import DAG, BaseNotifier, BaseOperator, BaseSensorOperator\n"
        "from airflow.providers.common.compat.sdk import conf\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_twiliocall.operators.twilio_call\n"
        "import airflow_provider_twiliocall.sensors.twilio_call\n"
        "import airflow_provider_twiliocall.notifications.twilio_call as module\n"
        "module.TwilioCallNotifier(to='+15551234567', message='{{ run_id }}')\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = run(program).splitlines()[-1].split()
    assert len(loaded) <= 20
    assert all(name.startswith("airflow_provider_twiliocall") for name in loaded)
    heavy = {"hooks.twilio_call", "twilio.client", "twilio.params", "cooldown", "notifications.alert"}
    assert heavy.isdisjoint(name.removeprefix("airflow_provider_twiliocall.") for name in loaded)
