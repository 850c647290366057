"""What Airflow learns about this package when it looks for providers: its classes and its connection form."""

from __future__ import annotations

from typing import Any

from airflow_provider_twiliocall.hooks.connection_form import (
    CONN_FIELDS,
    CONN_TYPE,
    HOOK_NAME,
    UI_FIELD_BEHAVIOUR,
)

_INTEGRATION = "Twilio Call"


def get_provider_info() -> dict[str, Any]:
    """Describe the provider in the words of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-twiliocall",
        "name": _INTEGRATION,
        "description": "Phone calls with Twilio: place a call from a DAG, wait for it and know how it ended.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://www.twilio.com/docs/voice/api/call-resource",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks.twilio_call"),
        "operators": _modules("operators.call_campaign", "operators.escalate_call", "operators.twilio_call"),
        "sensors": _modules("sensors.twilio_call"),
        "triggers": _modules("triggers.call_campaign", "triggers.twilio_call"),
        "notifications": ["airflow_provider_twiliocall.notifications.twilio_call.TwilioCallNotifier"],
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                "hook-class-name": "airflow_provider_twiliocall.hooks.twilio_call.TwilioCallHook",
                "hook-name": HOOK_NAME,
                "conn-fields": CONN_FIELDS,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
            }
        ],
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [
        {
            "integration-name": _INTEGRATION,
            "python-modules": [f"airflow_provider_twiliocall.{name}" for name in names],
        }
    ]
