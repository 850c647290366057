"""The form of a ``twilio`` connection, for every Airflow version.

Airflow 3.2 and later read the form from the provider info (:data:`CONN_FIELDS`, :data:`UI_FIELD_BEHAVIOUR`);
3.1 calls two methods of the hook (:func:`connection_form_widgets`, :func:`ui_field_behaviour`). Importing
this module loads nothing else: the provider info is read at every Airflow command.
"""

from __future__ import annotations

from typing import Any

CONN_TYPE = "twilio"
HOOK_NAME = "Twilio"

CONN_FIELDS: dict[str, dict[str, Any]] = {
    "account_sid": {
        "label": "Account SID",
        "description": "AC… Needed with an API key (SK…) as login; otherwise the login is the account.",
        "schema": {"type": ["string", "null"]},
    },
    "from": {
        "label": "Default caller ID",
        "description": "A number you own, in E.164 (+15551234567). Calls that name no number come from it.",
        "schema": {"type": ["string", "null"]},
    },
    "default_country": {
        "label": "Default country",
        "description": "The country of numbers without country code, such as FR (ISO 3166). Empty: numbers need a +.",
        "schema": {"type": ["string", "null"]},
    },
    "region": {
        "label": "Region",
        "description": "Where Twilio handles the calls, such as ie1. Needs an edge, and that region's login.",
        "schema": {"type": ["string", "null"]},
    },
    "edge": {
        "label": "Edge",
        "description": "Where requests enter Twilio's network, such as dublin. Without a region: us1.",
        "schema": {"type": ["string", "null"]},
    },
    "webhook_url": {
        "label": "Webhook URL",
        "description": "Where Twilio reaches Airflow's API server, such as https://airflow.example.com. For keys.",
        "schema": {"type": ["string", "null"]},
    },
    "auth_token": {
        "label": "Auth token for signatures",
        "description": "The account's auth token, where the login is an API key: Twilio signs webhooks with it.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "http_timeout": {
        "label": "HTTP timeout (seconds)",
        "description": "How long to wait for Twilio's answer to one request. Empty: 15.",
        "schema": {"type": ["integer", "null"]},
    },
}
"""The fields kept in the connection's extra, by name, in the order the form shows them.

Help goes into ``description``: placeholders of extra fields never reach the form.
"""

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "port"],
    "relabeling": {
        "login": "Account SID or API key SID",
        "password": "Auth token or API key secret",
        "host": "Base URL",
    },
    "placeholders": {
        "login": "AC… or SK…",
        "host": "empty for Twilio; http://127.0.0.1:8010 for a simulator",
    },
}
"""How the form shows the fields that every connection has."""


def ui_field_behaviour() -> dict[str, Any]:
    """Return :data:`UI_FIELD_BEHAVIOUR` as a hook's ``get_ui_field_behaviour`` has to return it."""
    return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}


def connection_form_widgets() -> dict[str, Any]:
    """Return :data:`CONN_FIELDS` as a hook's ``get_connection_form_widgets`` has to return it: as form fields.

    Airflow 3.1 calls this with stand-ins for wtforms in place, so wtforms is imported here and nowhere
    else, and need not be installed.
    """
    from wtforms import IntegerField, StringField

    return {
        name: (IntegerField if "integer" in field["schema"]["type"] else StringField)(
            field["label"], description=field["description"]
        )
        for name, field in CONN_FIELDS.items()
    }
