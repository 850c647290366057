"""The connection form reads the same through the hook's methods and through the provider info."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_twiliocall.hooks.connection_form import (
    CONN_FIELDS,
    UI_FIELD_BEHAVIOUR,
    connection_form_widgets,
    ui_field_behaviour,
)
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook


class _Field:
    def __init__(self, label: str, *, description: str) -> None:
        self.label = label
        self.description = description


class StringField(_Field): ...


class IntegerField(_Field): ...


@pytest.fixture
def wtforms(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("wtforms")
    module.StringField, module.IntegerField = StringField, IntegerField  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wtforms", module)


@pytest.fixture
def no_traces_of_mocks() -> Iterator[None]:
    """Airflow leaves stand-ins for wtforms and flask-appbuilder among the loaded modules: take them away."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("wtforms", "flask")):
            del sys.modules[name]


@pytest.mark.usefixtures("wtforms")
def test_hook_method_offers_the_fields_of_the_provider_info_in_their_order() -> None:
    widgets = connection_form_widgets()
    assert [(name, field.label, field.description) for name, field in widgets.items()] == [
        (name, field["label"], field["description"]) for name, field in CONN_FIELDS.items()
    ]


@pytest.mark.usefixtures("wtforms")
def test_only_the_timeout_is_a_number() -> None:
    widgets = connection_form_widgets()
    assert [name for name, field in widgets.items() if isinstance(field, IntegerField)] == ["http_timeout"]


def test_hook_method_says_the_field_behaviour_with_underscores() -> None:
    assert ui_field_behaviour() == {
        "hidden_fields": UI_FIELD_BEHAVIOUR["hidden-fields"],
        "relabeling": UI_FIELD_BEHAVIOUR["relabeling"],
        "placeholders": UI_FIELD_BEHAVIOUR["placeholders"],
    }


def test_hook_defines_both_methods_itself_as_airflow_looks_for_them_there() -> None:
    assert {"get_connection_form_widgets", "get_ui_field_behaviour"} <= set(vars(TwilioCallHook))


@pytest.mark.usefixtures("no_traces_of_mocks")
def test_airflows_own_form_service_offers_every_field() -> None:
    form = _form_of_the_api_server()
    assert form["hook_name"] == "Twilio"
    assert {name: form["standard_fields"][name]["title"] for name in ("login", "password", "host")} == (
        UI_FIELD_BEHAVIOUR["relabeling"]
    )
    assert [name for name, field in form["standard_fields"].items() if field and field["hidden"]] == [
        "url_schema",
        "port",
    ]
    assert [
        (name, field["schema"]["title"], field["schema"]["type"], field["description"])
        for name, field in form["extra_fields"].items()
    ] == [
        (name, field["label"], field["schema"]["type"], field["description"])
        for name, field in CONN_FIELDS.items()
    ]


def _form_of_the_api_server() -> dict[str, Any]:
    """Return what ``GET /ui/connections/hook_meta`` answers for the connection type."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    (form,) = [form for form in HookMetaService.hook_meta_data() if form.connection_type == "twilio"]
    answer: dict[str, Any] = form.model_dump()
    return answer
