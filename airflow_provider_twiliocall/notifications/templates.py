"""Rendering the fields of an alert: to text, each by itself, from what the context of a callback has."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.arguments.templated import entries_in

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import BaseNotifier

# Between the entries of a list, and not within the braces of a template.
_BETWEEN_ENTRIES = re.compile(r"[,;\n](?![^{}]*\}\})")
_LONGEST_SHOWN = 80


_SECRETS = ("sip_auth_password", "call_token")


@dataclass(frozen=True)
class Rendered:
    """What the templates of an alert gave.

    :param fields: the values by name; None for a field that could not be rendered
    :param problems: why not, by name
    :param not_callable: why an entry of ``to`` could not be rendered, by how it is written
    """

    fields: Mapping[str, Any]
    problems: Mapping[str, str]
    not_callable: Mapping[str, str]


def rendered(notifier: BaseNotifier, context: Any, environment: jinja2.Environment | None) -> Rendered:
    """Render each field of a notifier by itself: the call is also placed without those that cannot be rendered."""
    templates = AlertTemplates(notifier, context, environment)
    fields: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name in notifier.template_fields:
        if name == "to" or (value := getattr(notifier, name)) is None:
            continue
        try:
            fields[name] = templates.render(value)
        except Exception as error:
            fields[name] = None
            # What is secret may stand in what is wrong with it.
            problems[name] = type(error).__name__ if name in _SECRETS else reason_of(error)
    callees, not_callable = templates.callees(notifier.to)  # type: ignore[attr-defined]
    fields["to"] = callees[0] if len(callees) == 1 else callees
    return Rendered(fields, problems, not_callable)


class AlertTemplates:
    """Renders an alert's fields to text, also for a DAG with ``render_template_as_native_obj=True``.

    A callback's context may have only ``dag``, ``run_id`` and ``reason``, or plain data, and reading it may fail.
    Where it has no ``var`` or ``conn``, those are read from Airflow when a template asks for them.

    :param context: as Airflow hands it to a callback
    :param environment: that of the context's DAG, unless it is given
    """

    def __init__(self, notifier: BaseNotifier, context: Any, environment: jinja2.Environment | None) -> None:
        self._notifier = notifier
        known = _Readable(context if isinstance(context, Mapping) else {})
        # As with Airflow's own notifiers, a template may name the other fields.
        fields = {name: getattr(notifier, name, None) for name in notifier.template_fields}
        self._context = ChainMap(fields, known, _what_may_be_missing())  # type: ignore[arg-type]
        self._environment = environment or self._environment_of(known.get("dag"))

    def render(self, value: Any) -> Any:
        """Render what an author gave; text without a template stays exactly as it is.

        :raises Exception: any that a template may raise
        """
        if isinstance(value, str):
            return self._render_text(value)
        if callable(value) and not hasattr(value, "resolve"):
            # Airflow 3.3 lets a field be a function that makes its value.
            return value(context=self._context, jinja_env=self._environment)
        return self._notifier.render_template(value, self._context, self._environment)  # type: ignore[arg-type]

    def callees(self, to: Any) -> tuple[list[Any], dict[str, str]]:
        """Render whom to call, each by itself.

        :return: those that are known, and what is wrong with the others, by how they are written
        """
        callees: list[Any] = []
        problems: dict[str, str] = {}
        pending = _entries(to)
        while pending:
            entry = pending.pop(0)
            try:
                callees += entries_in(self.render(entry))
            except Exception as error:
                if len(parts := _parts(entry)) > 1:
                    pending = parts + pending
                else:
                    problems[shown_template(entry)] = reason_of(error)
        if not callees and not problems:
            problems[shown_template(to)] = "it was rendered to nothing"
        return callees, problems

    def _environment_of(self, dag: Any) -> jinja2.Environment:
        try:
            # Sandboxed is what it is anyway, unless it is native.
            environment: jinja2.Environment = dag.get_template_env(force_sandboxed=True)
        except Exception:
            # "airflow dags test" gives its callbacks the DAG as it lies in the database, which has none.
            return self._notifier.get_template_env(None)
        return environment

    def _render_text(self, text: str) -> str:
        env = self._environment
        if not any(
            start in text
            for start in (env.variable_start_string, env.block_start_string, env.comment_start_string)
        ):
            return text
        return str(self._notifier._render(env.from_string(text), self._context))


def reason_of(error: Exception) -> str:
    """Return why a template could not be rendered, on one line and not too long, with phone numbers cut."""
    from airflow_provider_twiliocall.twilio.phone_number import redact_phone_numbers_in

    try:
        said = " ".join(redact_phone_numbers_in(str(error)).split())
    except Exception:
        said = ""
    return _cut(f"{type(error).__name__}: {said}" if said else type(error).__name__, 200)


def shown_template(entry: Any) -> str:
    """Return what a log may say of a template: its text, with phone numbers cut."""
    from airflow_provider_twiliocall.twilio.phone_number import redact_phone_numbers_in

    try:
        text = entry if isinstance(entry, str) else repr(entry)
        return _cut(" ".join(redact_phone_numbers_in(text).split()), _LONGEST_SHOWN)
    except Exception:
        return f"a {type(entry).__name__}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _entries(to: Any) -> list[Any]:
    try:
        return entries_in(to)
    except Exception:
        # It may become readable when it is rendered.
        return [to]


def _parts(entry: Any) -> list[Any]:
    """Split text that has a template for each entry of a list, so that one that fails does not stop the others."""
    if not isinstance(entry, str) or "{%" in entry:
        return []
    text = entry.strip()
    if text[:1] in ("[", "(") and text[-1:] in ("]", ")"):
        text = text[1:-1]
    parts = [part.strip().strip("'\"") for part in _BETWEEN_ENTRIES.split(text)]
    return [part for part in parts if part]


class _Readable(Mapping[str, Any]):
    """A context without the parts that cannot be read: a lazy one may ask an API server that is away."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._context = context

    def __getitem__(self, name: str) -> Any:
        try:
            return self._context[name]
        except Exception:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._context)

    def __len__(self) -> int:
        return len(self._context)


def _what_may_be_missing() -> dict[str, Any]:
    return {
        "var": {"value": _Variables(as_json=False), "json": _Variables(as_json=True)},
        "conn": _Connections(),
    }


class _Variables:
    """Airflow's Variables, as ``var.value`` and ``var.json`` give them to a task's templates."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        return self._read(key)

    def get(self, key: str, default: Any = None) -> Any:
        return self._read(key, default=default)

    def _read(self, key: str, **options: Any) -> Any:
        from airflow.sdk import Variable

        return Variable.get(key, deserialize_json=self._as_json, **options)


class _Connections:
    """Airflow's connections, as ``conn`` gives them to a task's templates."""

    def __getattr__(self, conn_id: str) -> Any:
        if conn_id.startswith("__"):
            raise AttributeError(conn_id)
        from airflow.sdk import Connection

        return Connection.get(conn_id)
