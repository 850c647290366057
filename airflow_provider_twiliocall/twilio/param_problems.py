"""What is wrong with an argument of a call, as a value: what it is about, and how to tell whoever wrote the DAG."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from airflow_provider_twiliocall.twilio.phone_number import redact_phone_numbers_in, show_address

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


@dataclass(frozen=True)
class Problem:
    """One mistake in the arguments of a call.

    :param arguments: the names of those that it is about
    :param text: one line: argument, value, what is wrong with it and how to fix it
    """

    arguments: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return self.text


def problems_about(*arguments: str, check: Callable[[], object], prefix: str = "") -> list[Problem]:
    """Return what a check refuses, as a problem of these arguments.

    :param check: raises a ValueError for what it refuses
    :param prefix: stands before its words
    """
    try:
        check()
    except ValueError as error:
        return [Problem(arguments, f"{prefix}{error}")]
    return []


@dataclass(frozen=True)
class Rule:
    """What to say about a value that a type refused; every type in ``param_types`` is annotated with one.

    :param says: follows ``field=value`` where a declared constraint refused. Needs to say nothing where
        the type is a choice of words or has a validator that words its own message.
    :param code: the error Twilio would have answered with.
    :param secret: the value is never shown.
    :param address: the value is a callee or a caller.
    """

    says: str = ""
    code: str = ""
    secret: bool = False
    address: bool = False


def redact(text: str) -> str:
    """Hide phone numbers, and the user and password of a URL that carries them."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", redact_phone_numbers_in(text))


def show(value: object) -> str:
    """Show a value on one line, redacted and not too long."""
    text = redact(repr(value))
    return text if len(text) <= 80 else f"{text[:79]}…"


def rule_of(field: FieldInfo) -> Rule:
    """Find the rule that the type of a field is annotated with."""
    return next(part for part in _parts_of(field) if isinstance(part, Rule))


def refused_argument(detail: ErrorDetails, field: FieldInfo, asked: object, name: str) -> str:
    """Word what pydantic found about one field.

    :param asked: for it, as the author has it
    :param name: what the author calls the field
    """
    kind, value = detail["type"], detail["input"]
    rule = rule_of(field)
    code = f" (Twilio error {rule.code})" if rule.code else ""
    if kind == "missing":
        what = (
            f"{name} is missing" if asked is None else f"{name}={asked!r} is empty, as templates may render"
        )
        return f"{what}: give the number to call, e.g. +15551234567 (Twilio error 21201)"

    refusal = detail.get("ctx", {}).get("error")
    if refusal and not isinstance(refusal, UnicodeError):
        return f"{name}={refusal}{code}"

    shown = "***" if rule.secret else show_address(value) if rule.address else show(value)
    if kind == "string_type":
        says = _not_text(value)
    elif kind == "string_unicode" or refusal:
        says = "has half a character (a lone surrogate), which cannot be sent: remove it"
    elif kind == "literal_error":
        says = _no_such_choice(value, _choices_of(field))
    else:
        says = rule.says
    return f"{name}={shown} {says}{code}"


def unknown_argument(name: str, known: Iterable[str]) -> str:
    """Word that there is no such argument. Its value is not shown: it may be a misnamed password."""
    fields = {field.replace("_", ""): field for field in known}
    nearest = get_close_matches(name.replace("_", "").lower(), fields, n=1)
    hint = f"did you mean {fields[nearest[0]]}?" if nearest else "leave it out"
    return f"{name} is not an argument of a call, and Twilio would silently ignore it: {hint}"


def _not_text(value: object) -> str:
    says = f"is of type {type(value).__name__}, not text: give a string"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        says += " (YAML reads text of digits as a number where it has no quotes: put quotes around it)"
    return says


def _no_such_choice(value: object, choices: tuple[str, ...]) -> str:
    folded = {choice.casefold(): choice for choice in choices}
    nearest = get_close_matches(str(value).casefold(), folded, n=1)
    hint = f"did you mean {folded[nearest[0]]!r}?" if nearest else "give one of them"
    return f"is not one of {', '.join(map(repr, choices))}: {hint}"


def _choices_of(field: FieldInfo) -> tuple[str, ...]:
    return next(get_args(part) for part in _parts_of(field) if get_origin(part) is Literal)


def _parts_of(field: FieldInfo) -> Iterator[Any]:
    """Walk through what a field's type is made of and annotated with."""
    pending: list[Any] = [field.annotation, *field.metadata]
    while pending:
        part = pending.pop(0)
        yield part
        if get_origin(part) is not Literal:
            pending += [*get_args(part), *getattr(part, "__metadata__", ())]
