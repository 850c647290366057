"""The arguments of a call window, as authors and templates give them: a dict, or text of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_twiliocall.arguments.templated import is_template
from airflow_provider_twiliocall.twilio.list_text import literal_in

_ARGUMENTS = ("start", "end", "timezone", "weekdays", "holidays")
_REQUIRED = _ARGUMENTS[:3]


def window_arguments(value: Any) -> Mapping[str, Any]:
    """Read the arguments of a window from a dict, or from JSON (or Python's) text of one.

    :raises ValueError: neither, or arguments are missing or unknown
    """
    arguments = _from_text(value) if isinstance(value, str) else value
    if not isinstance(arguments, Mapping):
        raise ValueError(
            f"the call window is {value!r:.80}: give a CallWindow, or a dict such as "
            '{"start": "09:00", "end": "20:00", "timezone": "Europe/Paris"}'
        )
    unknown = [str(name) for name in arguments if name not in _ARGUMENTS]
    if unknown:
        raise ValueError(
            f"the call window has no {', '.join(unknown)}: it has {', '.join(_ARGUMENTS[:-1])} and {_ARGUMENTS[-1]}"
        )
    missing = [name for name in _REQUIRED if name not in arguments]
    if missing:
        raise ValueError(
            f"the call window lacks {' and '.join(missing)}: give start, end and the callee's timezone; "
            "they have no default"
        )
    return arguments


def _from_text(text: str) -> Any:
    try:
        return literal_in(text)
    except ValueError:
        return text


def is_known(value: Any) -> bool:
    """Say whether the value is the same at run time: it has no template, and nothing from another task."""
    if isinstance(value, Mapping):
        return all(map(is_known, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_known, value))
    return not is_template(value)
