"""Reading a request strictly: form pairs and query pairs, each name known, each scalar given once."""

from __future__ import annotations

from collections.abc import Container
from urllib.parse import parse_qsl

from airflow_provider_twiliocall.simulator.calls.simulated_call import Form
from airflow_provider_twiliocall.simulator.problem import Problem

FORM_TYPE = "application/x-www-form-urlencoded"


def read_form(body: bytes, content_type: str) -> Form:
    """The pairs of a form-encoded body. A body of any other kind is refused."""
    if not body:
        return ()
    if content_type.partition(";")[0].strip().lower() != FORM_TYPE:
        raise Problem(20001, f"the body must be {FORM_TYPE}, not {content_type or 'without Content-Type'}")
    try:
        return read_pairs(body.decode("ascii"))
    except (UnicodeDecodeError, ValueError) as error:
        raise Problem(20001, f"the body is not a form ({error})") from error


def read_pairs(text: str) -> Form:
    """The pairs of a query string or form body."""
    if not text:
        return ()
    return tuple(parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict"))


def check_names(pairs: Form, known: Container[str], lists: Container[str] = ()) -> None:
    """Refuse what Twilio would silently ignore: unknown names, and scalars given more than once."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name not in known:
            raise Problem(20001, f"there is no parameter {name!r} here")
        if name in seen and name not in lists:
            raise Problem(20001, f"{name} is given more than once")
        seen.add(name)
