"""Airflow's task state store (Airflow 3.3 and later), where a journal lies: it survives tries and a user's Clear alike.

Older Airflows have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

KEY = "twilio_call"

# The store's answer to a process whose task instance another one has replaced.
_SUPERSEDED = 404


class Store(Protocol):
    """What of Airflow's ``context["task_state_store"]`` is used here."""

    def get(self, key: str) -> Any:
        """Return the value, or None."""

    def set(self, key: str, value: Any) -> None:
        """Write the value."""


def store_of(context: Mapping[str, Any]) -> Store | None:
    """Return the store of the task instance that a context is of; None where there is none."""
    return context.get("task_state_store")


def is_superseded(error: Exception) -> bool:
    """Say whether it is the store's answer to a process that another try of its task has replaced."""
    # airflow.sdk's AirflowRuntimeError carries the answer of the API server.
    detail = getattr(getattr(error, "error", None), "detail", None)
    return isinstance(detail, dict) and detail.get("status_code") == _SUPERSEDED
