"""Values as Airflow's templates leave them: still to be rendered, nothing at all, or a list that has become text."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any

_TEMPLATE = re.compile(r"\{[{%]")
# A number may begin with a parenthesis as well.
_LITERAL = re.compile(r"[\[{]|\(\s*['\"({]")

# Between the addresses in a text: not before a parameter, as in sip:bob@example.com;transport=tls, but before a number
# or a scheme that follows a blank.
_BETWEEN = re.compile(
    r"[,\r\n，；、]|;(?![ \t]*(?:[\w.-]+[ \t]*=|lr\b))|(?<=\s)(?=\+|(?:client|sips?|tel):)", re.IGNORECASE
)


def is_template(value: Any) -> bool:
    """Say whether Airflow has yet to render it, or to fetch it from another task."""
    if isinstance(value, str):
        return _TEMPLATE.search(value) is not None
    return hasattr(value, "resolve")


def is_literal(value: Any) -> bool:
    """Say whether the value is the same at run time: it has no template in it, and nothing of another task's."""
    if isinstance(value, Mapping):
        return all(map(is_literal, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_literal, value))
    # Airflow calls what can be called, and takes what comes of it.
    return not is_template(value) and not callable(value)


def is_blank(value: Any) -> bool:
    """Say whether nothing is left of it, or only what a template makes of a value that is not there."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "None"))


def given(text: str | None) -> str | None:
    """Return a text without the blanks around it; None where nothing is left of it."""
    return None if text is None or is_blank(text) else text.strip()


def entries_in(value: Any) -> list[Any]:
    """Return the entries of a list as :func:`all_entries_in` does, without those that are nothing.

    :raises ValueError: text that begins like a list and is none
    """
    return [entry for entry in all_entries_in(value) if not is_blank(entry)]


def callees_of(to: Any) -> list[Any]:
    """Return whom to call, each as given; a list may come as the text that a template makes of it.

    :raises ValueError: there is nobody
    """
    try:
        callees = entries_in(to)
    except ValueError as error:
        raise ValueError(f"to: {error}") from None
    if not callees:
        raise ValueError("to names nobody: give a number such as +15551234567, or a list of them")
    return callees


def all_entries_in(value: Any) -> list[Any]:
    """Return the entries of a list of addresses, each as given; a list may have become text.

    One alone, a dict as well, is a list of one. Text has commas, semicolons or line breaks between the addresses;
    blanks do before one that begins with a + or its scheme. A semicolon before a parameter of a SIP address is a
    part of it.

    :raises ValueError: text that begins like a list and is none
    """
    if isinstance(value, str):
        return _entries_in_text(value.strip())
    if isinstance(value, (set, frozenset)):
        # A set has no order, and this one means something: the same at every parse, at least.
        return sorted(value, key=str)
    if isinstance(value, Collection) and not isinstance(value, (Mapping, bytes)):
        return list(value)
    return [value]


def _entries_in_text(text: str) -> list[Any]:
    if is_template(text):
        return [text]
    if not _LITERAL.match(text):
        return [entry.strip() for entry in _BETWEEN.split(text) if entry.strip()]
    # Not loaded for a DAG that has lists as lists.
    from airflow_provider_twiliocall.twilio.list_text import literal_in

    return all_entries_in(literal_in(text))


class RendersText:
    """Renders templates to text in every DAG, also with ``render_template_as_native_obj=True``.

    Native rendering reads text as Python, so that ``"+15551234567"`` becomes an integer without its plus, and
    ``"0042"`` stays text while ``"404"`` does not. What is meant as text must stay as it is written. A template that
    gives one list, dict or contact gives that very object, as in a native DAG.
    """

    def _render(self, template: Any, context: Any, dag: Any = None) -> Any:
        # Airflow calls this for every string with a template or without one, in mapped tasks too.
        return _text_or_collection([*template.generate(context)])


def _text_or_collection(parts: list[Any]) -> Any:
    # Only a native DAG's environment gives anything but text here. The class is asked: an undefined variable has to
    # fail as undefined.
    if len(parts) == 1 and not isinstance(parts[0], (str, bytes)):
        (value,) = parts
        if isinstance(value, (Mapping, Sequence, Set)) or hasattr(type(value), "to_dict"):
            return value
    return "".join(map(str, parts))
