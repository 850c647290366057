"""Bad input through the operator: nothing is dialled, no retry is tried, and the message says what to change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.support.task_context import RecordingTaskInstance, context
from tests.support.wrong_arguments import FROM, SID, TO, TWIML, WRONG

pytestmark = pytest.mark.usefixtures("connection")

VARIABLE = "AIRFLOW_CONN_TWILIO_DEFAULT"
SAYS_NOTHING = [{"twiml": None}, {"twiml": " "}]

SEVERAL = {"to": [TO]}

# The operator has words of its own for a call that says nothing, because it has `message` besides, and for several
# numbers, because there are other operators for them.
CASES = [case for case in WRONG if case[0] not in [*SAYS_NOTHING, SEVERAL]]


def refusal(**arguments: Any) -> str:
    """Execute a task that is in order apart from what its templates leave, and return how it fails."""
    task_instance = RecordingTaskInstance()
    task = CreateCallOperator(task_id="ring", to=TO, from_=FROM, twiml=TWIML, wait_for_completion=True)
    vars(task).update(arguments)
    with pytest.raises(AirflowFailException) as refused:
        task.execute(context(task_instance))
    assert task_instance.xcoms == {}
    return str(refused.value)


@pytest.mark.parametrize("case", CASES, ids=[f"{next(iter(case[0]))}-{n}" for n, case in enumerate(CASES)])
def test_a_wrong_value_fails_for_good_with_its_fix_and_dials_nobody(
    twilio_simulator: TwilioSimulator, case: tuple[Any, ...]
) -> None:
    wrong, fragments, *rest = case
    message = refusal(**wrong, **(rest[0] if rest else {}))
    assert message.startswith("Nothing was dialled; fix these arguments:\n- ")
    assert [fragment for fragment in fragments if fragment not in message] == []
    assert twilio_simulator.requests == []


@pytest.mark.parametrize("to", [[TO], (TO,), f"['{TO}']"])
def test_a_list_that_a_template_gives_is_refused_and_told_where_to_go(
    twilio_simulator: TwilioSimulator, to: Any
) -> None:
    message = refusal(to=to)
    assert ".expand(to=[…]) to call all of them, or EscalateCallOperator" in message
    assert twilio_simulator.requests == []


@pytest.mark.parametrize("arguments", SAYS_NOTHING)
def test_a_call_that_says_nothing_is_refused(
    twilio_simulator: TwilioSimulator, arguments: dict[str, Any]
) -> None:
    said = "one of message, audio_url, url, twiml and application_sid has to say what the callee hears"
    assert said in refusal(**arguments)
    assert twilio_simulator.requests == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"message": ""}, "message is empty: give the words to say"),
        ({"message": "None"}, "message is empty: give the words to say"),
        ({"message": 5}, "message is int, not text"),
        ({"message": "hi", "url": "https://example.com/"}, "message and url exclude one another"),
        ({"message": "hi", "twiml": TWIML}, "message and twiml exclude one another"),
        ({"message": "hi", "application_sid": f"AP{SID}"}, "message and application_sid exclude one another"),
    ],
)
def test_a_wrong_message_is_refused(
    twilio_simulator: TwilioSimulator, arguments: dict[str, Any], said: str
) -> None:
    assert said in refusal(**{"twiml": None, **arguments})
    assert twilio_simulator.requests == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"accept_answered_by": {"humans"}}, "Twilio never says 'humans': did you mean 'human'?"),
        ({"accept_answered_by": "robot"}, "Twilio never says 'robot': it is one of human, fax"),
        ({"accept_answered_by": []}, "accept_answered_by=[] names nobody"),
        ({"accept_answered_by": 5}, "accept_answered_by=5 names nobody"),
        (
            {"accept_answered_by": {"human"}, "send_digits": "1"},
            "accept_answered_by needs answering machine detection",
        ),
    ],
)
def test_wrong_answerers_are_refused(
    twilio_simulator: TwilioSimulator, arguments: dict[str, Any], said: str
) -> None:
    assert said in refusal(**arguments)
    assert twilio_simulator.requests == []


def test_all_mistakes_are_told_at_once(twilio_simulator: TwilioSimulator) -> None:
    message = refusal(to="5551234567", timeout=3600, twiml=None, message="")
    assert len(message.splitlines()) == 4
    assert "to='5551234567' is not E.164" in message
    assert "timeout=3600 is not a time to let it ring" in message
    assert twilio_simulator.requests == []


def test_calling_the_connections_own_number_is_refused(twilio_simulator: TwilioSimulator) -> None:
    message = refusal(to=twilio_simulator.from_number, from_=None)
    assert "with the extra `from` of the connection 'twilio_default': to and from_ are both" in message
    assert twilio_simulator.requests == []


def test_having_no_number_to_call_from_names_the_connections_extra(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(twilio_simulator.airflow_connection) | {"extra": {}}
    monkeypatch.setenv(VARIABLE, json.dumps(connection))
    said = "give from_, or set the extra `from` of the connection 'twilio_default'"
    assert said in refusal(from_=None)
    assert twilio_simulator.requests == []
