"""Whom an alert calls: one or several, as an author or a template gives them, and as a log may show them."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Collection, Mapping
from typing import Any


def callees_of(to: Any) -> list[Any]:
    """Return whom to call, each as given; a list may come as the text that a template makes of it.

    :raises ValueError: there is nobody
    """
    if isinstance(to, str):
        text = to.strip()
        if text.startswith(("[", "(", "{")) and not text.startswith(("{{", "{%")):
            try:
                listed = literal_eval(text)
            except (ValueError, SyntaxError):
                raise ValueError("to is no list that can be read: write it as ['+15551234567']") from None
            return callees_of(listed)
        callees: list[Any] = [text] if is_template(text) else re.split(r"[,;\n]", text)
    elif isinstance(to, (set, frozenset)):
        callees = sorted(to, key=str)
    elif isinstance(to, Collection) and not isinstance(to, (Mapping, bytes)):
        callees = list(to)
    else:
        callees = [to]
    callees = [callee for callee in callees if callee is not None and str(callee).strip() not in ("", "None")]
    if not callees:
        raise ValueError("to names nobody: give a number such as +15551234567, or a list of them")
    return callees


def shown(callee: Any) -> str:
    """Return what a log may say of whom to call."""
    from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number, show_address

    return redact_phone_number(callee) if isinstance(callee, str) else show_address(callee)


def is_template(value: Any) -> bool:
    """Whether Airflow has yet to render it."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)
