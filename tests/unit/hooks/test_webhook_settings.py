"""The receiver's public address: right ones are taken, wrong ones are warnings that name the fix."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.hooks.webhook_settings import WebhookSettings, read_webhook

ACCOUNT = "AC" + "0123456789abcdef" * 2
API_KEY = "SK" + "0123456789abcdef" * 2


def read(login: str = ACCOUNT, **given: str) -> tuple[WebhookSettings | None, list[str]]:
    warnings: list[str] = []
    return read_webhook(given, login=login, password="secret", warnings=warnings), warnings


def test_without_an_address_there_is_no_receiver() -> None:
    assert read() == (None, [])


@pytest.mark.parametrize(
    ("given", "receiver_url"),
    [
        ("https://airflow.example.com", "https://airflow.example.com/twilio-call"),
        ("https://example.com/airflow/", "https://example.com/airflow/twilio-call"),
        (" https://example.com:8443 ", "https://example.com:8443/twilio-call"),
        ("http://localhost:8080", "http://localhost:8080/twilio-call"),
        ("http://127.0.0.1:8080/airflow", "http://127.0.0.1:8080/airflow/twilio-call"),
        ("http://[::1]:8080", "http://[::1]:8080/twilio-call"),
    ],
)
def test_the_receiver_is_mounted_under_the_address(given: str, receiver_url: str) -> None:
    webhook, warnings = read(webhook_url=given)
    assert webhook is not None
    assert (webhook.receiver_url, warnings) == (receiver_url, [])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("http://airflow.example.com", "is http, so that anybody on the way can read"),
        ("airflow.example.com", "is not an absolute http or https URL"),
        ("https://my_airflow.example.com", "has an underscore in its host name"),
        ("https://example.com/?a=1", "has a query, a fragment or a login in it"),
        ("https://me:pw@example.com", "has a query, a fragment or a login in it"),
        ("https://example.com/twilio-call", "leave that out, it is added"),
    ],
)
def test_a_wrong_address_is_a_warning_with_its_fix(given: str, problem: str) -> None:
    webhook, [warning] = read(webhook_url=given)
    assert webhook is None
    assert problem in warning
    assert "pw" not in warning


def test_the_auth_token_of_the_login_signs() -> None:
    webhook, _ = read(webhook_url="https://example.com")
    assert webhook is not None
    assert webhook.auth_token == "secret"
    assert "secret" not in repr(webhook)


@pytest.mark.parametrize("login", [ACCOUNT, API_KEY])
def test_an_auth_token_of_its_own_wins(login: str) -> None:
    webhook, _ = read(login, webhook_url="https://example.com", auth_token="signing")
    assert webhook is not None
    assert webhook.auth_token == "signing"


def test_an_api_key_alone_signs_nothing() -> None:
    webhook, [warning] = read(API_KEY, webhook_url="https://example.com")
    assert webhook is None
    assert "give the account's auth token as the extra auth_token too" in warning
