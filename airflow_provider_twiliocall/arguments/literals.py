"""What an author has written that cannot work, refused when the DAG is parsed: for operators and notifier alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.arguments.checks import check_conn_id
from airflow_provider_twiliocall.arguments.content import problems_of_content
from airflow_provider_twiliocall.arguments.templated import is_literal
from airflow_provider_twiliocall.twilio.phone_number import (
    check_digits,
    is_phone_number,
    show_address,
    without_separators,
)

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.param_problems import Problem

Delivery = Literal["at_most_once", "at_least_once"]
"""What to do when nobody can say whether a phone rang: fail for good, or dial again."""

_LISTED = "give a list of numbers, or text with commas or line ends between them"

# What their characters say is checked here; the rest depends on the connection's default country.
_JUDGED_ELSEWHERE = ("to", "from_", "message")


def literal_problems(
    asked: Any, callees: Sequence[Any], *, named: str = "to", has_default_message: bool = False
) -> list[Problem]:
    """Say what is wrong with the arguments of a call, as far as they are known when a DAG is parsed.

    Neither a connection nor ``phonenumbers`` is needed for it, and what checks the fields of a call is imported only
    where there are any besides numbers and a message. What is a template, or another task's, is judged when it runs.

    :param asked: the operator or notifier, with its arguments
    :param callees: whom to call, each as given
    :param named: the argument that names them
    :param has_default_message: whether something is said where nothing is given
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
        *_problems_about("twilio_conn_id", lambda: check_conn_id(asked.twilio_conn_id)),
        *problems_of_content(given, is_rendered=False, has_default_message=has_default_message),
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


def problems_of_do_not_call(listed: Any) -> list[str]:
    """Say what no callee can be compared with in a do-not-call list, as far as that is known when a DAG is parsed.

    Text may name a Variable, and a number without + depends on the connection's default country.
    """
    if listed is None or isinstance(listed, str) or not is_literal(listed):
        return []
    if not isinstance(listed, (list, tuple, set, frozenset)):
        # What the class of the list itself makes is a list that was read.
        return [] if hasattr(listed, "is_listed") else [f"do_not_call is {type(listed).__name__}: {_LISTED}"]
    problems = []
    for place, entry in enumerate(listed, start=1):
        if isinstance(entry, str):
            checks = [lambda entry=entry: check_digits(entry)] if is_phone_number(entry) else []
            problems += [f"do_not_call, entry {place}: {problem}" for problem in problems_of(*checks)]
        elif isinstance(entry, bool) or not isinstance(entry, int):
            problems.append(
                f"do_not_call, entry {place}: {show_address(entry)} is not text: give numbers as strings"
            )
    return problems


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


def check_delivery(delivery: Any) -> None:
    """Refuse what is no :data:`Delivery`.

    :raises ValueError: names the two
    """
    check_choice("delivery", delivery, get_args(Delivery))


def refuse(problems: Iterable[Problem | str]) -> None:
    """Refuse to go on where there is a problem.

    :raises ValueError: tells all of them
    """
    if text := "\n".join(map(str, problems)):
        raise ValueError(text)


def _problems_of_callee(named: str, callee: Any) -> list[Problem]:
    if is_phone_number(callee):
        return _problems_of_digits(named, callee)
    return _problems_of_addresses({"to": callee}, named)


def _problems_of_caller(from_: Any, callees: Sequence[Any], named: str) -> list[Problem]:
    if from_ is None:
        return []
    known = [callee for callee in callees if is_literal(callee)]
    for callee in known if isinstance(from_, str) else ():
        if without_separators(str(callee)) == without_separators(from_):
            problems = _problems_of_addresses({"to": callee, "from_": from_}, named)
            return [problem for problem in problems if problem.arguments == ("to", "from_")]
    numbers = list(filter(is_phone_number, known))
    if not is_phone_number(from_):
        asked = {"to": next(iter(numbers or known), None), "from_": from_}
        return [problem for problem in _problems_of_addresses(asked, named) if "from_" in problem.arguments]
    if len(numbers) < len(callees) and not from_.lstrip().startswith("+"):
        # It may be the user of a SIP address.
        return []
    return _problems_of_digits("from_", from_)


def _problems_of_digits(name: str, number: str) -> list[Problem]:
    return _problems_about(name, lambda: check_digits(number), prefix=f"{name}=")


def _problems_about(name: str, check: Callable[[], object], prefix: str = "") -> list[Problem]:
    try:
        check()
    except ValueError:
        # Not loaded for a DAG that is in order.
        from airflow_provider_twiliocall.twilio.param_problems import problems_about

        return problems_about(name, check=check, prefix=prefix)
    return []


def _problems_of_addresses(fields: dict[str, Any], callee: str) -> list[Problem]:
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

    problems = CreateCallParams.problems_of(fields, callee=callee)
    return [problem for problem in problems if not {"to", "from_"}.isdisjoint(problem.arguments)]


def _problems_of_fields(literals: Mapping[str, Any], given: Mapping[str, Any]) -> list[Problem]:
    checked = {name: value for name, value in literals.items() if name not in _JUDGED_ELSEWHERE}
    problems = []
    if is_phone_number(checked.get("caller_id")):
        problems = _problems_of_digits("caller_id", checked.pop("caller_id"))
    if not checked:
        return problems
    from airflow_provider_twiliocall.arguments.call_params import problems_of_literals

    return problems + problems_of_literals(checked, later=given.keys() - checked.keys())
