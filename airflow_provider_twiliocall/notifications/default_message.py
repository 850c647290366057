"""The default message of an alert: which DAG and task, its state, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import pendulum

from airflow_provider_twiliocall.arguments.redaction import redacted

# Enough to know what it is about; the rest is in the log.
LONGEST_REASON = 300

_OUTCOMES = {
    "success": "succeeded",
    "skipped": "was skipped",
    "running": "has started",
}
_AND_THEN = {"up_for_retry": " and will be tried again"}


def default_message(context: Mapping[str, Any]) -> str:
    """Return the message for a callback's context. It does not fail where parts of the context are missing.

    What Airflow masks in its logs is not said. Where it cannot be masked, the exception is left out.

    :param context: of a task's callback (``ti``, ``exception``, …), of a DAG's (``reason``), or of a deadline
        (``deadline`` and ``dag_run``, as plain data)
    """
    known = _Known(context)
    if known.get("deadline") is not None:
        said = f"{_dag(known)} missed its deadline, {_when(known, 'deadline.deadline_time')}"
    elif known.get("reason") is not None or known.get("ti", "task") is None:
        said = _about_dag(known)
    else:
        said = _about_task(known)
    return f"Airflow alert. {said[:1].upper()}{said[1:]}."


def _about_task(known: _Known) -> str:
    task = known.text("ti.task_id", "task.task_id") or "of unknown name"
    index, attempt = known.get("ti.map_index"), known.get("ti.try_number")
    number = f", number {index}," if isinstance(index, int) and index >= 0 else ""
    on_try = f" on try {attempt}" if attempt is not None else ""
    state = known.text("ti.state")
    outcome = f"{_OUTCOMES.get(state, 'failed')}{on_try}{_AND_THEN.get(state, '')}"
    said = f"task {task}{number} of {_dag(known)} {outcome}, {_when(known, 'ti.end_date')}"
    error = _error(known.get("exception"))
    return f"{said}. {error}" if error else said


def _about_dag(known: _Known) -> str:
    reason = known.text("reason")
    said = f"{_dag(known)} {_OUTCOMES.get(reason, 'failed')}, {_when(known, 'dag_run.end_date')}"
    task = known.text("ti.task_id")
    if reason == "task_failure" and task:
        # Airflow then puts the task that failed last into the context.
        return f"{said}. Task {task} failed"
    if error := _error(known.get("exception")):
        return f"{said}. {error}"
    why = _quietly(lambda: redacted(reason)) if reason != "success" else None
    return f"{said}. Reason: {_cut(why.replace('_', ' '))}" if why else said


def _dag(known: _Known) -> str:
    dag_id = known.text("ti.dag_id", "dag.dag_id", "dag_run.dag_id", "task.dag_id")
    return f"DAG {dag_id}" if dag_id else "a DAG of unknown name"


def _error(exception: Any) -> str:
    """Return the kind of an exception, and its first line."""
    # Redacted while it is whole: half a secret is a secret too.
    lines = _quietly(lambda: redacted(str(exception)).splitlines()) if exception is not None else None
    first_line = next((line.strip() for line in lines or () if line.strip()), "")
    kind = type(exception).__name__ if isinstance(exception, BaseException) else ""
    return _cut(": ".join(part for part in (kind, first_line) if part))


def _when(known: _Known, path: str) -> str:
    """Return the moment, or now, in the DAG's time zone, to the minute: nobody remembers seconds that are said."""
    moment = _quietly(lambda: _moment(known.get(path))) or pendulum.now("UTC")
    zone = known.get("dag.timezone")
    local = _quietly(lambda: moment.in_timezone(zone)) or moment.in_timezone("UTC")
    return f"at {local:%H:%M} {local.tzname()} on {local.day} {local:%B}"


def _moment(value: Any) -> pendulum.DateTime | None:
    value = pendulum.parse(value) if isinstance(value, str) else value
    return pendulum.instance(value) if isinstance(value, datetime) else None


def _cut(text: str) -> str:
    text = text.rstrip(". ")
    return (
        text
        if len(text) <= LONGEST_REASON
        else text[:LONGEST_REASON].rpartition(" ")[0] or text[:LONGEST_REASON]
    )


class _Known:
    """A context of which any part may be missing, be plain data instead of an object, or fail when it is read."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._context = context

    def get(self, *paths: str) -> Any:
        """Return the first that is there; None where none is."""
        return next((value for path in paths if (value := self._at(path)) is not None), None)

    def text(self, *paths: str) -> str:
        value = self.get(*paths)
        # Airflow's states are members of an enumeration, whose str() is "TaskInstanceState.SUCCESS".
        value = value.value if isinstance(value, Enum) else value
        return "" if value is None else _quietly(lambda: str(value)) or ""

    def _at(self, path: str) -> Any:
        value: Any = self._context
        for name in path.split("."):
            value = _quietly(lambda: _part(value, name))  # noqa: B023 (called at once)
        return value


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _quietly(read: Any) -> Any:
    # What is lazy in a context asks the API server when it is read, which may be away.
    try:
        return read()
    except Exception:
        return None
