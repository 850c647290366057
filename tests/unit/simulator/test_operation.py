"""Which operation a request asks for."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.simulator.operation import asked_for

ROOT = "/2010-04-01/Accounts/AC1"


@pytest.mark.parametrize(
    ("method", "path", "operation", "sid"),
    [
        ("POST", "/Calls.json", "create", ""),
        ("GET", "/Calls.json", "list", ""),
        ("GET", "/Calls/CA1.json", "get", "CA1"),
        ("POST", "/Calls/CA1.json", "update", "CA1"),
        ("DELETE", "/Calls/CA1.json", "delete", "CA1"),
        ("GET", "/Calls/CA1/Recordings.json", "recordings", "CA1"),
        ("GET", "/Calls/CA1/Notifications.json", "notifications", "CA1"),
        ("GET", "/Calls/CA1/Events.json", "events", "CA1"),
        ("POST", "/Calls/CA1/Events.json", "other", "CA1"),
        ("GET", ".json", "account", ""),
        ("GET", "/IncomingPhoneNumbers.json", "incoming_phone_numbers", ""),
        ("GET", "/Messages.json", "other", ""),
    ],
)
def test_method_and_path_tell_the_operation(method: str, path: str, operation: str, sid: str) -> None:
    assert asked_for(method, ROOT + path) == (operation, sid)
