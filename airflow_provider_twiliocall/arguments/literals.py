"""What an author has written that cannot work, refused when the DAG is parsed: for operators and notifier alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from airflow_provider_twiliocall.arguments.checks import check_conn_id
from airflow_provider_twiliocall.arguments.content import literal_problems_of_content
from airflow_provider_twiliocall.arguments.templated import is_literal
from airflow_provider_twiliocall.twilio.fields import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.twilio.phone_number import (
    check_digits,
    is_phone_number,
    redact_phone_number,
    without_separators,
)

# What their characters say is checked here; the rest depends on the connection's default country.
_JUDGED_ELSEWHERE = ("to", "from_", "message")


def literal_problems(
    asked: Any, callees: Sequence[Any], *, named: str = "to", has_default_message: bool = False
) -> list[str]:
    """Say what is wrong with the arguments of a call, as far as they are known when a DAG is parsed.

    Neither a connection nor ``phonenumbers`` is needed for it, and what checks the fields of a call is imported only
    where there are any besides numbers and a message. What is a template, or another task's, is judged when it runs.

    :param asked: the operator or notifier, with its arguments
    :param callees: whom to call, each as given
    :param named: the argument that names them
    :param has_default_message: whether something is said where nothing is given
    :return: one line each: argument, value, what is wrong with it and how to fix it
    """
    given = {
        name: value
        for name in (*CREATE_CALL_FIELDS, *SPEECH_FIELDS, "accept_answered_by")
        if (value := getattr(asked, name, None)) is not None
    }
    literals = {name: value for name, value in given.items() if is_literal(value)}
    return [
        *(
            problem
            for callee in callees
            if is_literal(callee)
            for problem in _problems_of_callee(named, callee)
        ),
        *_problems_of_caller(literals.get("from_"), callees, named),
        *problems_of(lambda: check_conn_id(asked.twilio_conn_id)),
        *literal_problems_of_content(given, has_default_message=has_default_message),
        *_problems_of_fields(literals, given),
    ]


def problem_of_several(to: Any) -> str | None:
    """Say what to do instead where a list is given to a task that calls one number; None for one number."""
    is_list = isinstance(to, (list, tuple, set, frozenset)) or (
        isinstance(to, str) and to.lstrip().startswith("[")
    )
    if not is_list:
        return None
    return (
        f"to is a {type(to).__name__ if not isinstance(to, str) else 'list'}, and this task calls one number: use "
        ".partial(…).expand(to=[…]) to call all of them, or EscalateCallOperator to call one after the other until "
        "somebody is reached"
    )


def problems_of(*checks: Callable[[], object]) -> list[str]:
    """Make all checks, and return what they refuse."""
    problems = []
    for check in checks:
        try:
            check()
        except ValueError as error:
            problems.append(str(error))
    return problems


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Refuse what is none of the words there are.

    :raises ValueError: names them
    """
    if value in choices:
        return
    *others, last = map(repr, choices)
    if len(others) == 1:
        raise ValueError(f"{name}={value!r} is neither {others[0]} nor {last}")
    raise ValueError(f"{name}={value!r} is none of {', '.join(others)} and {last}")


def refuse(problems: list[str]) -> None:
    """Refuse to go on where there is a problem.

    :raises ValueError: tells all of them
    """
    if problems:
        raise ValueError("\n".join(problems))


def _problems_of_callee(named: str, callee: Any) -> list[str]:
    if is_phone_number(callee):
        return _problems_of_digits(named, callee)
    return [named + problem.removeprefix("to") for problem in _problems_of_model({"to": callee}, "to")]


def _problems_of_caller(from_: Any, callees: Sequence[Any], named: str) -> list[str]:
    if from_ is None:
        return []
    known = [callee for callee in callees if is_literal(callee)]
    if isinstance(from_, str) and without_separators(from_) in map(without_separators, map(str, known)):
        return [
            f"{named} and from_ are both {redact_phone_number(from_)!r}: call from another number than the one called "
            "(Twilio error 21211)"
        ]
    numbers = list(filter(is_phone_number, known))
    if not is_phone_number(from_):
        return _problems_of_model({"to": next(iter(numbers or known), None), "from_": from_}, "from_")
    if len(numbers) < len(callees) and not from_.lstrip().startswith("+"):
        # It may be the user of a SIP address.
        return []
    return _problems_of_digits("from_", from_)


def _problems_of_digits(name: str, number: str) -> list[str]:
    return [f"{name}={problem}" for problem in problems_of(lambda: check_digits(number))]


def _problems_of_model(fields: dict[str, Any], name: str) -> list[str]:
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

    return [problem for problem in CreateCallParams.problems_of(fields) if re.match(rf"{name}\b", problem)]


def _problems_of_fields(literals: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    checked = {name: value for name, value in literals.items() if name not in _JUDGED_ELSEWHERE}
    problems = []
    if is_phone_number(checked.get("caller_id")):
        problems = _problems_of_digits("caller_id", checked.pop("caller_id"))
    if not checked:
        return problems
    from airflow_provider_twiliocall.arguments.call_params import problems_of_literals

    return problems + problems_of_literals(checked, later=given.keys() - checked.keys())
