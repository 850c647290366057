"""The one list of a call's arguments: a new one that is forgotten somewhere fails here, and the place is named."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_provider_twiliocall.arguments.call_arguments import (
    CALL_ARGUMENTS,
    CREATE_CALL_FIELDS,
    SPEECH_FIELDS,
    CallArguments,
    CallAttributes,
)
from airflow_provider_twiliocall.notifications.twilio_call import AlertArguments, TwilioCallNotifier
from airflow_provider_twiliocall.operators.call_campaign import CallCampaignOperator, CampaignArguments
from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator, EscalationArguments
from airflow_provider_twiliocall.operators.twilio_call import CreateCallArguments, CreateCallOperator
from airflow_provider_twiliocall.simulator.twilio_api.validation import CREATE
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.arguments_page import PAGE, described_in, page

NUMBER = "+15551234567"
# What each of them is told whom to call with.
TAKERS: list[tuple[Any, dict[str, Any]]] = [
    (CreateCallOperator, {"task_id": "ring", "to": NUMBER}),
    (EscalateCallOperator, {"task_id": "wake", "contacts": [NUMBER]}),
    (CallCampaignOperator, {"task_id": "remind", "calls": [{"to": NUMBER}]}),
    (TwilioCallNotifier, {"to": NUMBER}),
]
TASKS = [(taker, whom) for taker, whom in TAKERS if issubclass(taker, BaseOperator)]
FOR_EDITORS = [
    (CreateCallOperator, CreateCallArguments),
    (EscalateCallOperator, EscalationArguments),
    (CallCampaignOperator, CampaignArguments),
    (TwilioCallNotifier, AlertArguments),
]


def wire_names(names: Iterable[str]) -> set[str]:
    return {"".join(word.capitalize() for word in name.split("_")) for name in names}


def parameters(taker: type) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(getattr(taker, "__init__")).parameters)  # noqa: B009


def given(name: str) -> dict[str, Any]:
    # Keys to press would switch off the detection that an escalation needs.
    return {"message": "hi", name: "{{ given }}"}


def only(*takers: tuple[Any, dict[str, Any]]) -> list[Any]:
    """All pairs of them and an argument, without keys for an escalation: they switch off the detection it needs."""
    return [
        pytest.param(taker, whom, name, id=f"{taker.__name__}-{name}")
        for taker, whom in takers
        for name in CALL_ARGUMENTS
        if taker is not EscalateCallOperator or name != "send_digits"
    ]


# Nothing is forgotten


def test_the_list_has_every_field_of_the_params() -> None:
    assert set(CREATE_CALL_FIELDS) == set(CreateCallParams.model_fields), (
        "twilio/params.py and arguments/call_arguments.py name different fields"
    )


def test_type_checkers_are_told_of_the_same_attributes_with_the_same_types() -> None:
    assert CallAttributes.__annotations__ == {
        name: annotation.__forward_arg__ for name, annotation in CallArguments.__annotations__.items()
    }, "arguments/call_arguments.py: CallArguments and CallAttributes differ"


def test_each_argument_is_described_once_and_in_order() -> None:
    assert tuple(described_in(CallArguments.__doc__ or "")) == CALL_ARGUMENTS, (
        "arguments/call_arguments.py: the :param: lines of CallArguments and its names differ"
    )


def test_the_simulator_checks_every_field() -> None:
    asked = {*CREATE_CALL_FIELDS} - {"account_sid"}
    assert wire_names(asked) == set(CREATE), (
        "simulator/twilio_api/validation.py: CREATE lacks a field, or has one more"
    )


def test_the_page_of_arguments_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "docs/arguments.md: run python -m tests.support.arguments_page"
    )


def test_there_are_the_36_parameters_of_twilio_and_the_three_newer_ones() -> None:
    assert len(CREATE_CALL_FIELDS) == 39
    assert set(SPEECH_FIELDS) < set(CALL_ARGUMENTS)


@pytest.mark.parametrize(("taker", "arguments"), FOR_EDITORS)
def test_editors_are_told_of_what_can_be_given_with_its_types(taker: type, arguments: Any) -> None:
    own = {
        name: parameter.annotation
        for name, parameter in parameters(taker).items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        and name not in {*CALL_ARGUMENTS, "to", "contacts", "calls"}
    }
    told = {name: annotation.__forward_arg__ for name, annotation in arguments.__annotations__.items()}

    assert {name: told[name] for name in told if name not in CALL_ARGUMENTS} == own, (
        f"{arguments.__name__} and the signature of {taker.__name__} differ"
    )
    assert set(CALL_ARGUMENTS) <= set(told)


# All of them take every one


@pytest.mark.parametrize(("taker", "whom", "name"), only(*TAKERS))
def test_each_argument_is_taken_shown_and_templated(taker: Any, whom: dict[str, Any], name: str) -> None:
    assert getattr(taker(**whom, **given(name)), name) == "{{ given }}"
    assert getattr(taker(**whom, message="hi"), name) == ("hi" if name == "message" else None)
    assert parameters(taker)[name].kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters(taker)[name].default is None
    assert name in taker.template_fields


@pytest.mark.parametrize(("taker", "whom"), TAKERS)
def test_help_shows_and_describes_every_argument_once(taker: Any, whom: dict[str, Any]) -> None:
    shown = set(parameters(taker)) - {"self", "arguments"}
    text = inspect.getdoc(taker) or ""
    helped = pydoc.render_doc(taker, renderer=pydoc.plaintext)

    assert {name for name in shown if text.count(f":param {name}:") == 1} == shown
    assert {name for name in shown if f" {name}:" in helped and f":param {name}:" in helped} == shown
    assert {*CALL_ARGUMENTS, *whom} - {"task_id"} <= shown


@pytest.mark.parametrize(("taker", "whom", "name"), only(*TASKS))
def test_default_args_give_every_argument(taker: Any, whom: dict[str, Any], name: str) -> None:
    with DAG("calls", schedule=None, default_args=given(name)):
        assert getattr(taker(**whom), name) == "{{ given }}"


@pytest.mark.parametrize(("taker", "whom", "name"), only(*TASKS))
def test_every_argument_may_be_partial_or_expanded(taker: Any, whom: dict[str, Any], name: str) -> None:
    (callee,) = whom.keys() - {"task_id"}
    with DAG("calls", schedule=None) as dag:
        taker.partial(task_id="partial", **{name: "{{ given }}"}).expand(**{callee: [whom[callee]]})
        taker.partial(task_id="expanded", **{callee: whom[callee]}).expand(**{name: ["{{ given }}"]})
    one = dag.get_task("expanded").unmap({**whom, **given(name), "task_id": "expanded"})

    assert dag.get_task("partial").partial_kwargs[name] == "{{ given }}"
    assert getattr(one, name) == "{{ given }}"


def test_an_author_s_operator_that_builds_on_one_keeps_its_own_signature_and_words() -> None:
    class Reminder(CreateCallOperator):
        """Remind somebody."""

        def __init__(self, *, hour: int, **arguments: Any) -> None:
            super().__init__(**arguments)

    assert set(parameters(Reminder)) == {"self", "hour", "arguments"}
    assert Reminder.__doc__ == "Remind somebody."


def test_reading_the_list_loads_neither_pydantic_nor_requests_nor_xml() -> None:
    program = (
        "import sys; import airflow_provider_twiliocall.arguments.call_arguments; "
        "print({'pydantic', 'requests', 'xml'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "set()"


def test_without_docstrings_it_works_too() -> None:
    program = (
        "from airflow_provider_twiliocall.arguments.call_arguments import CallAttributes\n"
        "class Call(CallAttributes):\n"
        "    'A call.'\n"
        "    def __init__(self, **arguments): ...\n"
        "print(Call.__doc__)"
    )
    printed = subprocess.run(
        [sys.executable, "-OO", "-c", program], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "None"
