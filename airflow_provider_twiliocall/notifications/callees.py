"""Whom an alert calls: one or several, as an author or a template gives them, and as a log may show them."""

from __future__ import annotations

from typing import Any

from airflow_provider_twiliocall.rendered import entries_in


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


def shown(callee: Any) -> str:
    """Return what a log may say of whom to call."""
    from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number, show_address

    return redact_phone_number(callee) if isinstance(callee, str) else show_address(callee)
