"""What is literal and wrong is refused when a DAG is parsed, by operators and notifier in the same words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_provider_twiliocall.arguments.literals import check_choice, problems_of, refuse
from airflow_provider_twiliocall.callees.contact import Contact
from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier
from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from tests.support.fresh_airflow import run

NUMBER = "+15551234567"
URL = "https://example.com/calls"
TWIML = "<Response><Say>hi</Say></Response>"


def task(to: Any = NUMBER, **arguments: Any) -> CreateCallOperator:
    return CreateCallOperator(**{"task_id": "ring", "to": to, "message": "hi", **arguments})


def escalation(to: Any = NUMBER, **arguments: Any) -> EscalateCallOperator:
    return EscalateCallOperator(**{"task_id": "wake", "contacts": [to], "message": "hi", **arguments})


def alert(to: Any = NUMBER, **arguments: Any) -> TwilioCallNotifier:
    return TwilioCallNotifier(**{"to": to, "message": "hi", **arguments})


@pytest.fixture(params=[task, escalation, alert], ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param


# Whom to call


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (
            15551234567,
            r"=1\*+4567 is of type int, not text: give a string \(YAML reads .* put quotes around it\)",
        ),
        (15551234567.0, r"=1\*+\d+\.?\d* is of type float, not text"),
        (True, "=True is of type bool, not text"),
        ("+1 555 CALL NOW", "has letters: write digits only"),
        ("+1 555 123 4567 x12", "has letters: .*an extension goes in send_digits"),
        ("+1 555 123 4567 (12)", "ends with an extension"),
        ("+15551234567.0", "has decimals, as a number that was a float"),
        ("1.5551234567e10", "has an exponent"),
        ("+1555", "is a short number"),
        ("+1555123456789012", "E.164 allows 15"),
        ("911", "is an emergency number"),
        ("alice", "is neither a phone number nor client:name nor sip:user@host"),
        ("sip:alice", "is neither a phone number nor client:name nor sip:user@host"),
    ],
)
def test_what_cannot_be_called_is_refused(make: Callable[..., Any], to: Any, said: str) -> None:
    with pytest.raises(ValueError, match=rf"^(to|contacts)=?.*{said}"):
        make(to)


@pytest.mark.parametrize(
    "to",
    [NUMBER, "+44 (0)20 7946 0123", "5551234567", "06 12 34 56 78", "client:bob", "sip:bob@example.com"],
)
def test_what_may_be_called_passes(make: Callable[..., Any], to: str) -> None:
    make(to)


@pytest.mark.parametrize("to", ["{{ var.value.oncall }}", "{% if night %}+15551234567{% endif %}"])
def test_a_template_passes(make: Callable[..., Any], to: str) -> None:
    make(to, from_="{{ var.value.from }}", message="{{ ti.task_id }}", timeout="{{ params.timeout }}")


def test_what_another_task_gives_passes() -> None:
    with DAG("numbers", schedule=None):
        other = XComArg(task())
        task(other, task_id="next", from_=other, message=other, timeout=other, url=None)
        escalation(other, message=other)
        escalation(Contact("Ann", "{{ number }}"), task_id="more", repeat=other)


def test_what_airflow_calls_for_the_value_passes() -> None:
    task(lambda context, jinja_env: NUMBER)


@pytest.mark.parametrize("to", [None, "", "None"])
def test_nobody_to_call_is_refused(make: Callable[..., Any], to: Any) -> None:
    with pytest.raises(ValueError, match=r"to is missing|to='.*' is empty|names nobody"):
        make(to)


@pytest.mark.parametrize("to", [[NUMBER], (NUMBER,), {NUMBER}, f"['{NUMBER}']"])
def test_a_list_is_refused_by_a_task_that_calls_one_number_and_told_where_to_go(to: Any) -> None:
    with pytest.raises(ValueError, match=r"^to is a \w+, .*\.expand\(to=.*, or EscalateCallOperator"):
        task(to)
    alert(to)


def test_a_mapped_task_is_judged_when_it_runs() -> None:
    with DAG("campaign", schedule=None) as dag:
        CreateCallOperator.partial(task_id="ring", message="hi", timeout=3600).expand(to=["wrong"])
    mapped = dag.get_task("ring")
    assert mapped.unmap({"to": "wrong", "task_id": "ring", "message": "hi", "timeout": 3600}).to == "wrong"


# Who calls


@pytest.mark.parametrize(
    ("from_", "said"),
    [
        ("MyCompany", r"from_='M\*+' cannot call a phone number: give a phone number of yours"),
        ("client:alice", "cannot call a phone number"),
        ("My Company", "from_='My Company' is not a caller"),
        (15557654321, "from_=1.*4321 is of type int, not text"),
        ("+1555CALLNOW", "from_=.* has letters"),
        ("+15557654321.0", "from_=.* has decimals"),
    ],
)
def test_who_cannot_call_is_refused(make: Callable[..., Any], from_: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(from_=from_)


@pytest.mark.parametrize(
    ("to", "from_"),
    [
        (NUMBER, "+15557654321"),
        (NUMBER, "5557654321"),
        ("sip:bob@example.com", "MyCompany"),
        ("sip:bob@example.com", "100"),
        ("client:bob", "client:alice"),
        ("{{ anybody }}", "MyCompany"),
        ("{{ anybody }}", "112"),
    ],
)
def test_who_may_call_passes(make: Callable[..., Any], to: str, from_: str) -> None:
    make(to, from_=from_)


@pytest.mark.parametrize(
    ("number", "from_"),
    [
        (NUMBER, NUMBER),
        (NUMBER, "+1 (555) 123-4567"),
        ("5551234567", "555 123 4567"),
        ("client:bob", "client:bob"),
    ],
)
def test_a_call_from_the_number_that_is_called_is_refused(
    make: Callable[..., Any], number: str, from_: str
) -> None:
    with pytest.raises(ValueError, match=r"^(to|contacts) and from_ are both '.*': call from another number"):
        make(number, from_=from_)


@pytest.mark.parametrize("conn_id", ["", " ", "None", None])
def test_no_connection_is_refused(make: Callable[..., Any], conn_id: Any) -> None:
    with pytest.raises(ValueError, match=r"^twilio_conn_id=.* does not name a connection: .* leave it out"):
        make(twilio_conn_id=conn_id)


def test_a_caller_id_that_is_none_is_refused(make: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"caller_id=.* has decimals"):
        make(caller_id="+15557654321.0")
    make(caller_id="5557654321")


# What is heard


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ({"message": ""}, "message is empty: give the words to say"),
        ({"message": 42}, "message is int, not text"),
        ({"message": ["hi"]}, "message is list, not text"),
        ({"message": TWIML}, "message is TwiML, .* give it as twiml instead"),
        ({"message": "<?xml version='1.0'?><Response/>"}, "message is TwiML"),
        ({"message": "<Response><Say>{{ run_id }}</Say></Response>"}, "message is TwiML"),
        ({"url": URL}, "message and url exclude one another"),
        ({"audio_url": URL, "message": None, "twiml": TWIML}, "audio_url and twiml exclude one another"),
        ({"url": URL, "message": None, "twiml": TWIML}, "url and twiml are given"),
        (
            {"url": URL, "message": None, "voice": "Polly.Amy"},
            "voice has a meaning only for a message: leave it out",
        ),
        ({"repeat": 0}, "repeat=0 is not a number of times"),
        ({"voice": "Amy, please"}, "voice='Amy, please' is not the name of a voice"),
        ({"voice": "en-gb"}, "voice='en-gb' is a language: give it as language='en-GB'"),
        ({"language": "Esperanto!"}, "language='Esperanto!' is not a language"),
        ({"verbatim": "perhaps"}, "verbatim='perhaps' is neither True nor False"),
        ({"message": None, "audio_url": "/siren.mp3"}, "audio_url='/siren.mp3' is not an absolute http"),
        ({"message": None, "twiml": "<Response><Say>"}, "twiml='<Response><Say>' is not well-formed XML"),
        ({"message": None, "url": "example.com"}, "url='example.com' is not an absolute http"),
    ],
)
def test_what_cannot_be_heard_is_refused(make: Callable[..., Any], heard: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(**heard)


def test_a_verb_that_twilio_does_not_know_is_warned_of(
    make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    make(message=None, twiml="<Response><say>hi</say></Response>")
    assert "Twilio ignores <say>" in caplog.text


@pytest.mark.parametrize("nothing", [{}, {"url": ""}, {"twiml": "None"}])
def test_nothing_to_say_is_refused_where_there_is_no_default(nothing: dict[str, Any]) -> None:
    for operator in (task, escalation):
        with pytest.raises(ValueError, match=r"one of message, .* has to say what the callee hears"):
            operator(message=None, **nothing)
    alert(message=None, **nothing)


@pytest.mark.parametrize(
    "heard",
    [
        {"message": "use <b> & co"},
        {"message": "{{ words }}", "url": URL},
        {"message": "hi", "url": "{{ var.value.url }}"},
        {"message": None, "audio_url": URL, "repeat": "2"},
        {"voice": "Polly.Amy", "language": "en-GB", "repeat": 2, "verbatim": True},
        {"voice": "{{ voice }}", "repeat": "{{ times }}"},
    ],
)
def test_what_may_be_heard_passes(make: Callable[..., Any], heard: dict[str, Any]) -> None:
    make(**heard)


# The other arguments of a call


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"timeout": 3600}, "timeout=3600 is not a time to let it ring: .* look in default_args"),
        ({"timeout": timedelta(hours=1)}, "timeout=datetime.timedelta.* is not a time to let it ring"),
        (
            {"machine_detection": "true"},
            "machine_detection='true' is not one of 'Enable', 'DetectMessageEnd'",
        ),
        (
            {"status_callback": "/relative"},
            "status_callback='/relative' is not an absolute http or https URL",
        ),
        (
            {"status_callback": URL, "status_callback_method": "PUT"},
            "status_callback_method='PUT' is not one of",
        ),
        (
            {"status_callback": URL, "status_callback_event": ["rung"]},
            "status_callback_event='rung' is not one of",
        ),
        ({"account_sid": "AC123"}, "account_sid='AC123' is not an Account SID"),
        ({"sip_auth_username": "ann"}, "sip_auth_username is given without sip_auth_password"),
    ],
)
def test_a_wrong_argument_is_refused(make: Callable[..., Any], arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(**arguments)


def test_a_secret_is_not_shown(make: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"sip_auth_password=\*\*\* is too long"):
        make(sip_auth_username="ann", sip_auth_password="p" * 256)


@pytest.mark.parametrize(
    "arguments",
    [
        {"timeout": 30, "time_limit": timedelta(minutes=5), "record": True},
        {"timeout": timedelta(seconds=30), "machine_detection": "Enable"},
        {"machine_detection": "Enable", "machine_detection_timeout": timedelta(seconds=20)},
        {"timeout": "PT30S"},
        {"status_callback": URL, "status_callback_event": ["ringing", "{{ event }}"]},
        {"sip_auth_username": "ann", "sip_auth_password": "{{ conn.sip.password }}"},
        {"timeout": None, "status_callback": ""},
    ],
)
def test_a_good_argument_passes(make: Callable[..., Any], arguments: dict[str, Any]) -> None:
    make(**arguments)


def test_wrong_answerers_are_refused() -> None:
    with pytest.raises(ValueError, match="Twilio never says 'humans': did you mean 'human'"):
        task(wait_for_completion=True, accept_answered_by={"humans"})
    with pytest.raises(ValueError, match="which Twilio switches off for calls with send_digits"):
        task(wait_for_completion=True, accept_answered_by={"human"}, send_digits="1")


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([None], "do_not_call, entry 1: None is not text: give numbers as strings"),
        ([NUMBER, b"+15551234567"], "do_not_call, entry 2: .* is not text"),
        ([15551234567.0], r"entry 1: 1\*+\S+ is not text"),
        (["+33612345678.0"], "do_not_call, entry 1: .* has decimals, as a number that was a float"),
        (("+1 555 CALL NOW",), "entry 1: .* has letters"),
        ({NUMBER: "Ann"}, "do_not_call is dict: give a list of numbers"),
        (NUMBER.encode(), "do_not_call is bytes: give a list of numbers"),
        (15551234567, "do_not_call is int: give a list of numbers"),
    ],
)
def test_a_do_not_call_list_with_what_cannot_be_compared_is_refused(listed: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        task(do_not_call=listed)


@pytest.mark.parametrize(
    "listed",
    [
        None,
        "numbers_of_those_who_said_no",
        "{{ var.value.no }}",
        ["06 12 34 56 78", "client:bob", ""],
        {NUMBER},
        [612345678],
    ],
)
def test_a_do_not_call_list_that_may_be_right_passes(listed: Any) -> None:
    task(do_not_call=listed)


@pytest.mark.parametrize("name", ["wait_for_completion", "deferrable"])
@pytest.mark.parametrize("value", ["false", "True", 0, 1])
def test_what_is_neither_true_nor_false_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name}={value!r} is neither True nor False: .* without quotes"):
        task(**{"wait_for_completion": True, name: value})


def test_all_mistakes_are_told_at_once(make: Callable[..., Any]) -> None:
    with pytest.raises(ValueError) as refused:
        make("+1 555 CALL NOW", from_=5, message="", timeout=3600, voice="?", delivery="twice")
    told = str(refused.value).splitlines()
    named = [line.split("=")[0].split(" ")[0].replace("contacts", "to") for line in told]
    assert named == ["delivery", "to", "from_", "message", "voice", "timeout"]


# What is not judged at parse


def test_a_choice_passes() -> None:
    check_choice("mode", "b", ("a", "b"))


def test_none_of_two_choices_names_both() -> None:
    with pytest.raises(ValueError, match=r"^mode='c' is neither 'a' nor 'b'$"):
        check_choice("mode", "c", ("a", "b"))


def test_none_of_three_choices_names_all() -> None:
    with pytest.raises(ValueError, match=r"^mode='d' is none of 'a', 'b' and 'c'$"):
        check_choice("mode", "d", ("a", "b", "c"))


def test_only_what_is_refused_is_a_problem() -> None:
    def fails() -> None:
        raise ValueError("no")

    assert problems_of(lambda: None, fails) == ["no"]
    refuse([])
    with pytest.raises(ValueError, match=r"^one\ntwo$"):
        refuse(["one", "two"])


# What parsing costs


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        ("", False),
        (", from_='5557654321', caller_id='+15557654322', twilio_conn_id='other'", False),
        (", timeout='{{ params.timeout }}'", False),
        (", timeout=30", True),
    ],
)
def test_what_checks_the_fields_of_a_call_is_loaded_only_where_there_is_something_to_check(
    arguments: str, needs: bool
) -> None:
    program = (
        "import sys\n"
        "from airflow.sdk import DAG, BaseNotifier, BaseOperator\n"
        "from airflow.providers.common.compat.sdk import conf\n"
        "before = set(sys.modules)\n"
        "from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier\n"
        "from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator\n"
        f"CreateCallOperator(task_id='ring', to='5551234567', message='hi'{arguments})\n"
        f"TwilioCallNotifier(to='5551234567'{arguments})\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = run(program).splitlines()[-1].split()
    assert ("airflow_provider_twiliocall.twilio.params" in loaded) is needs
    assert {"phonenumbers", "requests", "airflow_provider_twiliocall.hooks.twilio_call"}.isdisjoint(loaded)
