"""What Airflow learns about the package, against Airflow's own schemas."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from airflow_provider_twiliocall.get_provider_info import get_provider_info


def schema(name: str) -> dict[str, Any]:
    text: dict[str, Any] = json.loads(importlib.resources.files("airflow").joinpath(name).read_text())
    return text


@pytest.fixture
def connection_type() -> dict[str, Any]:
    (only,) = get_provider_info()["connection-types"]
    return dict(only)


def test_provider_info_passes_airflows_schema() -> None:
    jsonschema.validate(get_provider_info(), schema("provider_info.schema.json"))


def test_connection_form_has_the_shape_airflow_demands_of_its_own_providers(
    connection_type: dict[str, Any],
) -> None:
    shapes = schema("provider.yaml.schema.json")["properties"]["connection-types"]
    jsonschema.validate([connection_type], shapes)


def test_package_name_is_the_name_of_the_distribution() -> None:
    distribution = importlib.metadata.distribution(get_provider_info()["package-name"])
    assert distribution.name == "airflow-provider-twiliocall"
    assert [
        entry.value for entry in distribution.entry_points if entry.group == "apache_airflow_provider"
    ] == ["airflow_provider_twiliocall.get_provider_info:get_provider_info"]


def test_hook_class_and_connection_type_agree(connection_type: dict[str, Any]) -> None:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

    assert connection_type["hook-class-name"] == f"{TwilioCallHook.__module__}.{TwilioCallHook.__name__}"
    assert connection_type["connection-type"] == TwilioCallHook.conn_type
    assert connection_type["hook-name"] == TwilioCallHook.hook_name


def test_every_module_of_operators_is_named() -> None:
    from airflow_provider_twiliocall.operators.call_campaign import CallCampaignOperator
    from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator
    from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

    (operators,) = get_provider_info()["operators"]
    assert operators["python-modules"] == [
        CallCampaignOperator.__module__,
        EscalateCallOperator.__module__,
        CreateCallOperator.__module__,
    ]


def test_notifier_is_named_by_its_class() -> None:
    from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier

    (path,) = get_provider_info()["notifications"]
    assert path == f"{TwilioCallNotifier.__module__}.{TwilioCallNotifier.__name__}"


def test_only_the_secret_among_the_extra_fields_is_named_so_that_the_form_hides_it(
    connection_type: dict[str, Any],
) -> None:
    words = ("token", "secret", "password", "key")
    hidden = [name for name in connection_type["conn-fields"] if any(word in name for word in words)]
    assert hidden == ["auth_token"]


def test_asking_for_it_loads_neither_airflow_nor_anything_heavy() -> None:
    script = (
        "import sys\n"
        "from airflow_provider_twiliocall.get_provider_info import get_provider_info\n"
        "get_provider_info()\n"
        "heavy = {'airflow', 'pydantic', 'pendulum', 'requests', 'wtforms'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == "[]"
