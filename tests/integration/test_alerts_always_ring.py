"""Nothing but whom to call and the connection can silence an alert."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import airflow.sdk.log
import pytest
from airflow.sdk import DAG
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from airflow_provider_twiliocall.arguments import call_params as arguments
from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.exceptions import TwilioConnectionError
from airflow_provider_twiliocall.notifications.threads import NAME
from airflow_provider_twiliocall.notifications.twilio_call import (
    TwilioCallNotificationError,
    TwilioCallNotifier,
)
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.simulator.fault import Fault, FaultKind
from airflow_provider_twiliocall.simulator.operation import Operation

VARIABLE = "AIRFLOW_CONN_TWILIO_DEFAULT"
ANNE, BERT = "+15551230001", "+15551230002"
CREATES = frozenset({Operation.CREATE})
SIDE_FIELDS = [name for name in (*CREATE_CALL_FIELDS, *SPEECH_FIELDS) if name != "to"]


@pytest.fixture
def twilio(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> TwilioSimulator:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    monkeypatch.setenv("AIRFLOW_VAR_ONCALL", ANNE)
    monkeypatch.setenv("AIRFLOW_VAR_PEOPLE", json.dumps([ANNE]))
    return twilio_simulator


def notify(to: Any = ANNE, context: Any = None, **given: Any) -> None:
    TwilioCallNotifier(to=to, cooldown=None, **given)({} if context is None else context)


def rung(twilio: TwilioSimulator) -> list[str]:
    return [call["to"] for call in twilio.calls]


def placed(twilio: TwilioSimulator) -> dict[str, str]:
    """What the last request to place a call asked for."""
    return dict([request for request in twilio.requests if request.operation == "create"][-1].form)


class Logged:
    """What was said, wherever Airflow's loggers say it."""

    def __init__(self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
        self._caplog, self._capfd = caplog, capfd

    def text(self) -> str:
        return self._caplog.text + "".join(self._capfd.readouterr())


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Logged:
    caplog.set_level(logging.INFO)
    return Logged(caplog, capfd)


# Native DAGs


@pytest.fixture
def native() -> dict[str, Any]:
    with DAG("nightly", schedule=None, render_template_as_native_obj=True) as dag:
        return {"dag": dag, "phone": ANNE, "people": [ANNE, BERT], "number": 42}


@pytest.mark.parametrize(
    "to", [ANNE, "{{ phone }}", "{{ var.value.oncall }}", ["{{ phone }}"], "{{ var.json.people }}"]
)
def test_a_native_dag_turns_no_number_into_an_integer(
    twilio: TwilioSimulator, native: dict[str, Any], to: Any
) -> None:
    notify(to, native)
    assert rung(twilio) == [ANNE]


def test_a_list_that_a_template_gives_in_a_native_dag_is_rung(
    twilio: TwilioSimulator, native: dict[str, Any]
) -> None:
    notify("{{ people }}", native)
    assert sorted(rung(twilio)) == [ANNE, BERT]


def test_in_a_native_dag_the_other_fields_are_text_too(
    twilio: TwilioSimulator, native: dict[str, Any]
) -> None:
    notify(
        context=native, message="404", from_=twilio.from_number, timeout="{{ number }}", send_digits="0042"
    )
    form = placed(twilio)
    assert ">404<" in form["Twiml"]
    assert (form["From"], form["Timeout"], form["SendDigits"]) == (twilio.from_number, "42", "0042")


# Fields that cannot be rendered


@pytest.mark.parametrize("name", SIDE_FIELDS)
@pytest.mark.parametrize("template", ["{{ ti.away }}", "{{ 1 / 0 }}", "{% broken", "{{ var.value.away }}"])
def test_a_field_that_cannot_be_rendered_is_said_and_the_phone_rings(
    twilio: TwilioSimulator, logged: Logged, name: str, template: str
) -> None:
    notify(**{name: template})
    assert rung(twilio) == [ANNE]
    assert f"{name} could not be rendered" in logged.text()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status_callback", "{{ '/relative' }}"),
        ("fallback_url", "{{ 'ftp://example.com' }}"),
        ("from_", "{{ 'MyCompany' }}"),
        ("from_", "{{ '5' }}"),
        ("account_sid", "{{ 'AC123' }}"),
        ("language", "{{ 'Esperanto!' }}"),
        ("voice", "{{ 'Amy, please' }}"),
        ("repeat", "{{ 'often' }}"),
        ("verbatim", "{{ 'perhaps' }}"),
        ("timeout", "{{ 3600 }}"),
        ("time_limit", "{{ 0 }}"),
        ("machine_detection", "{{ true }}"),
        ("send_digits", "{{ 'call me' }}"),
        ("record", "{{ 'perhaps' }}"),
        ("status_callback_event", "{{ 'rung' }}"),
        ("byoc", "{{ 'BY1' }}"),
        ("passports", "{{ 'a,b,c,d,e,f' }}"),
        ("sip_auth_username", "{{ 'anne' }}"),
        ("sip_auth_password", "{{ 'x' * 300 }}"),
        ("url", "{{ 'example.com' }}"),
        ("twiml", "{{ 'hello' }}"),
        ("twiml", "{{ '<Response>' }}"),
        ("application_sid", "{{ 'AP1' }}"),
        ("audio_url", "{{ 'alarm.mp3' }}"),
    ],
)
def test_a_field_that_is_wrong_is_said_with_the_reason_and_the_phone_rings(
    twilio: TwilioSimulator, logged: Logged, name: str, value: str
) -> None:
    notify(**{name: value})
    assert rung(twilio) == [ANNE]
    assert placed(twilio)["From"] == twilio.from_number
    assert "Airflow alert." in placed(twilio)["Twiml"]
    text = logged.text()
    assert f"placed without {name}, so that the phone rings: {name}" in text
    assert "x" * 300 not in text


def test_what_is_wrong_is_left_out_and_the_rest_stays(twilio: TwilioSimulator) -> None:
    notify(
        message="Pump 3 has failed.",
        timeout="{{ 3600 }}",
        status_callback="{{ '/relative' }}",
        voice="{{ 'Polly.Amy' }}",
        record="{{ true }}",
    )
    form = placed(twilio)
    assert '<Say voice="Polly.Amy">Pump 3 has failed.' in form["Twiml"]
    assert form["Record"] == "true"
    assert not {"Timeout", "StatusCallback"} & form.keys()


def test_a_secret_that_cannot_be_rendered_is_not_logged(twilio: TwilioSimulator, logged: Logged) -> None:
    notify(sip_auth_username="anne", sip_auth_password="{{ hunter2.away }}")
    assert rung(twilio) == [ANNE]
    assert "hunter2" not in logged.text()


# What Twilio refuses


@pytest.mark.parametrize("code", [21205, 21206, 21208, 21209, 21218, 21234, 32018, 12100, 20001])
def test_what_twilio_refuses_for_a_side_field_is_asked_for_again_without(
    twilio: TwilioSimulator, logged: Logged, code: int
) -> None:
    twilio.inject(Fault(kind=FaultKind.STATUS, status=400, code=code, operations=CREATES))
    notify(message="Pump 3 has failed.", status_callback="https://example.com/x", timeout=20)
    assert rung(twilio) == [ANNE]
    form = placed(twilio)
    assert "Pump 3 has failed." in form["Twiml"]
    assert not {"StatusCallback", "Timeout"} & form.keys()
    assert "without status_callback, timeout, so that the phone rings: Twilio refused it: " in logged.text()


@pytest.mark.parametrize(
    "given",
    [
        {"twiml": "<Response><Hangup/></Response>"},
        {"url": "https://example.com/twiml"},
        {"application_sid": "AP" + "a" * 32},
    ],
)
def test_what_is_heard_and_refused_by_twilio_gives_way_to_the_default_message(
    twilio: TwilioSimulator, given: dict[str, str]
) -> None:
    twilio.inject(Fault(kind=FaultKind.STATUS, status=400, code=12100, operations=CREATES))
    notify(**given)
    assert "Airflow alert." in placed(twilio)["Twiml"]


def test_a_number_of_somebody_else_gives_way_to_the_one_of_the_connection(twilio: TwilioSimulator) -> None:
    notify(from_="+15005550002", timeout=20)
    assert rung(twilio) == [ANNE]
    assert placed(twilio)["From"] == twilio.from_number
    assert placed(twilio)["Timeout"] == "20"


def test_another_account_gives_way_to_the_one_of_the_connection(twilio: TwilioSimulator) -> None:
    notify(account_sid="AC" + "b" * 32, from_="+15005550002")
    assert rung(twilio) == [ANNE]


@pytest.mark.parametrize("to", ["+15005550001", "+15005550002", "+15005550003", "+15005550004"])
def test_a_callee_whom_twilio_refuses_is_not_dialled_again(twilio: TwilioSimulator, to: str) -> None:
    with pytest.raises(TwilioCallNotificationError):
        notify(to, timeout=20)
    assert len(twilio.requests) == 1


def test_a_call_that_twilio_refuses_in_its_plainest_form_is_not_asked_for_again(
    twilio: TwilioSimulator,
) -> None:
    twilio.inject(Fault(kind=FaultKind.STATUS, status=400, code=20001, operations=CREATES, times=None))
    with pytest.raises(TwilioCallNotificationError):
        notify(timeout=20)
    assert len(twilio.requests) == 2


# Whom to call


@pytest.mark.parametrize(
    "context",
    [{}, {"reason": "timed_out", "run_id": "manual"}, {"dag_run": {"dag_id": "nightly"}, "deadline": {}}],
)
@pytest.mark.parametrize(
    "to", ["{{ var.value.oncall }}", "{{ var.json.people }}", "{{ var.value.get('oncall') }}"]
)
def test_a_variable_is_read_where_the_context_has_none(
    twilio: TwilioSimulator, context: dict[str, Any], to: str
) -> None:
    notify(to, context)
    assert rung(twilio) == [ANNE]


def test_a_variable_is_read_in_the_event_loop_too(twilio: TwilioSimulator) -> None:
    async def main() -> None:
        await TwilioCallNotifier(to="{{ var.value.oncall }}", cooldown=None, context={"dag_run": {}})

    asyncio.run(main())
    assert rung(twilio) == [ANNE]


@pytest.mark.parametrize(
    "to",
    [
        ["{{ var.value.away }}", ANNE],
        ["{{ ti.away }}", "{{ var.value.oncall }}"],
        "{{ var.value.away }}, {{ var.value.oncall }}",
        '["{{ ti.away }}", "{{ var.value.oncall }}"]',
        "{{ [ti.away, 1] }}; +15551230001",
    ],
)
def test_one_entry_that_cannot_be_rendered_does_not_silence_the_others(
    twilio: TwilioSimulator, logged: Logged, to: Any
) -> None:
    with pytest.raises(TwilioCallNotificationError, match="could not be rendered") as raised:
        notify(to)
    assert rung(twilio) == [ANNE]
    assert len(raised.value.failures) == 1
    assert "away" in raised.value.failures[0]


@pytest.mark.parametrize(
    "to", ["{{ var.value.nobody_at_all }}", "{{ nobody_at_all }}", ["{{ nobody_at_all.x }}"]]
)
def test_when_nobody_knows_whom_to_call_it_is_critical_and_says_how_it_is_written(
    twilio: TwilioSimulator, logged: Logged, to: Any
) -> None:
    with pytest.raises(TwilioCallNotificationError):
        notify(to)
    text = logged.text()
    assert "critical" in text.lower()
    assert "Nobody was called" in text
    assert "nobody_at_all" in text


def test_a_connection_id_that_cannot_be_rendered_is_critical(twilio: TwilioSimulator, logged: Logged) -> None:
    with pytest.raises(TwilioConnectionError, match="twilio_conn_id does not say which connection"):
        notify(twilio_conn_id="{{ var.value.away }}")
    text = logged.text()
    assert "critical" in text.lower()
    assert "+1*******0001" in text
    assert twilio.requests == []


# All else


class Broken:
    """What cannot be used in any way."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("the API server is away")

    def __str__(self) -> str:
        raise RuntimeError("not even this")

    __repr__ = __str__


class Unreadable(Mapping[str, Any]):
    """A context that fails when anything but some names is read."""

    def __init__(self, readable: Mapping[str, Any]) -> None:
        self._readable = readable

    def __getitem__(self, name: str) -> Any:
        if name in self._readable:
            return self._readable[name]
        raise RuntimeError("the API server is away")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("the API server is away")

    def __len__(self) -> int:
        raise RuntimeError("the API server is away")


def fails(*_: Any, **__: Any) -> Any:
    raise RuntimeError("this does not work today")


@pytest.mark.parametrize("what", ["redact", "mask_secrets"])
def test_an_airflow_that_cannot_mask_does_not_silence_an_alert(
    twilio: TwilioSimulator, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(airflow.sdk.log if what == "redact" else arguments, what, fails)
    notify(
        message="the password is hunter2", call_token="token", context={"exception": ValueError("hunter2")}
    )
    assert rung(twilio) == [ANNE]
    assert ("hunter2" in placed(twilio)["Twiml"]) is (what != "redact")


def test_an_airflow_that_cannot_redact_leaves_the_alert_its_own_number_to_call_from(
    twilio: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(twilio.airflow_connection)
    del connection["extra"]["from"]
    monkeypatch.setenv(VARIABLE, json.dumps(connection))
    monkeypatch.setattr(airflow.sdk.log, "redact", fails)
    notify(message="The load has failed.", from_=twilio.from_number)
    assert placed(twilio)["From"] == twilio.from_number


def test_a_log_that_cannot_be_written_does_not_silence_an_alert(
    twilio: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = TwilioCallNotifier(to=ANNE, cooldown=None, message="{{ away.x }}")
    monkeypatch.setattr(alert.log, "log", fails, raising=False)
    alert({})
    assert rung(twilio) == [ANNE]


@pytest.mark.parametrize("is_async", [True, False], ids=["triggerer", "worker"])
def test_a_system_without_more_threads_does_not_silence_an_alert(
    twilio: TwilioSimulator, monkeypatch: pytest.MonkeyPatch, is_async: bool
) -> None:
    start = threading.Thread.start

    def start_others(thread: threading.Thread) -> None:
        if thread.name == NAME:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_others)
    alert = TwilioCallNotifier(to=[ANNE, BERT], cooldown=None)
    asyncio.run(alert.async_notify({})) if is_async else alert({})  # type: ignore[arg-type]
    assert sorted(rung(twilio)) == [ANNE, BERT]


def _dag(native: bool, **options: Any) -> DAG:
    with DAG("nightly", schedule=None, render_template_as_native_obj=native, **options) as dag:
        return dag


DAGS = [
    _dag(native=False),
    _dag(native=True),
    _dag(native=True, jinja_environment_kwargs={"no such option": 1}),
    _dag(native=False, user_defined_filters={"away": fails}),
    Broken(),
    None,
    "nightly",
]
NASTY = [
    "{{ ti.away.x }}",
    "{{ dag.away.x }}",
    "{{ 1 / 0 }}",
    "{% if",
    "{{ broken }}",
    "{{ var.value.away }}",
    "{{ var.json.oncall.x }}",
    "{{ conn.away.password }}",
    "{{ undefined }}",
    "{{ none }}",
    "{{ 'None' }}",
    "{{ '' }}",
    "{{ [1, 2] }}",
    "{{ {} }}",
    "{{ 5 }}",
    "{{ -1 }}",
    "{{ 99999 }}",
    "{{ 'true' }}",
    "{{ 'é' * 5000 }}",
    "{{ '<&>' }}",
    "{{ 'https://example.com/x' }}",
    "{{ 'https://under_score.example.com' }}",
    "{{ '/relative' }}",
    "{{ '+15005550002' }}",
    "{{ '\\ud800' }}",
    "{{ '\\x00' }}",
    "{{ exception }}",
    "{{ dag.dag_id }}",
    "{{ '<Response/>' }}",
    "AC" + "b" * 32,
    "AP" + "a" * 32,
    "https://example.com",
    "<Response/>",
    "GET",
    "Enable",
    "true",
    "hello",
    "30",
    5,
    0,
    -1,
    1.5,
    True,
    ["ringing", "{{ away.x }}"],
    [],
    b"bytes",
    Broken(),
    fails,
]
ANYTHING = [
    *DAGS,
    fails,
    5,
    float("nan"),
    {"dag_id": "x"},
    ValueError("x\ny"),
    Exception(Broken()),
]
NAMES = [
    "ti",
    "task",
    "dag",
    "dag_run",
    "reason",
    "exception",
    "run_id",
    "deadline",
    "conn",
    "params",
    "macros",
]
# What may lie in the database for a deadline.
PLAIN = [value for value in NASTY if isinstance(value, (str, int, float, list))]
DEADLINE = {"dag_run": {"dag_id": "nightly"}, "deadline": {"deadline_time": "2026-03-01T06:00:00Z"}}
# By their places in the lists: Hypothesis shows what it draws, and some of this fails when it is shown.
FIELDS = st.dictionaries(st.sampled_from(SIDE_FIELDS), st.integers(0, len(NASTY) - 1), max_size=6)
KNOWN = st.dictionaries(st.sampled_from(NAMES), st.integers(0, len(ANYTHING) - 1))
NUMBER = st.sampled_from(
    [
        ANNE,
        "+1 (555) 123-0001",
        [ANNE],
        "{{ var.value.oncall }}",
        "{{ var.json.people }}",
        "{{ var.json.people[0] }}",
        ["{{ var.value.oncall }}", "{{ away.x }}"],
        "{{ ['+15551230001'] }}",
        "{{ '+15551230001' }}",
    ]
)


@pytest.mark.untraced
@settings(
    max_examples=400,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(to=NUMBER, given_fields=FIELDS, known=KNOWN, is_readable=st.booleans())
def test_an_alert_that_was_accepted_rings_whatever_else_goes_wrong(
    twilio: TwilioSimulator, to: Any, given_fields: dict[str, int], known: dict[str, int], is_readable: bool
) -> None:
    twilio.reset()
    fields = {name: NASTY[place] for name, place in given_fields.items()}
    context: Any = {name: ANYTHING[place] for name, place in known.items()}
    try:
        alert = TwilioCallNotifier(to=to, cooldown=None, **fields)
    except Exception:
        event("refused at parse")
        assume(False)

    try:
        alert(context if is_readable else Unreadable(context))
    except TwilioCallNotificationError as error:
        assert all("away" in failure for failure in error.failures)

    assert rung(twilio) == [ANNE]


@pytest.mark.untraced
@settings(
    max_examples=200,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(to=NUMBER, fields=st.dictionaries(st.sampled_from(SIDE_FIELDS), st.sampled_from(PLAIN), max_size=6))
def test_the_alert_of_a_deadline_rings_whatever_is_wrong_with_its_fields(
    twilio: TwilioSimulator, to: Any, fields: dict[str, Any]
) -> None:
    twilio.reset()

    async def main() -> None:
        # It is made when it has to ring, and not when the DAG is parsed.
        await TwilioCallNotifier(to=to, cooldown=None, context=dict(DEADLINE), **fields)

    try:
        asyncio.run(main())
    except TwilioCallNotificationError as error:
        assert all("away" in failure for failure in error.failures)

    assert rung(twilio) == [ANNE]
