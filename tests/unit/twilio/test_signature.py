"""The signature on webhooks, against known examples and the official SDK."""

from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator

from airflow_provider_twiliocall.twilio.signature import is_signed, sign

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
PARAMS = (
    ("Digits", "1234"),
    ("To", "+18005551212"),
    ("From", "+14158675309"),
    ("Caller", "+14158675309"),
    ("CallSid", "CA1234567890ABCDE"),
)


@pytest.mark.parametrize(
    ("caller", "signature"),
    [("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), ("+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ=")],
)
def test_known_examples_get_their_signature(caller: str, signature: str) -> None:
    params = (
        ("Digits", "1234"),
        ("To", "+18005551212"),
        ("From", caller),
        ("Caller", caller),
        ("CallSid", "CA1234567890ABCDE"),
    )

    assert sign("12345", URL, params) == signature


def test_the_sdk_believes_it() -> None:
    assert RequestValidator("secret").validate(URL, dict(PARAMS), sign("secret", URL, PARAMS))


def test_another_token_gives_another_signature() -> None:
    assert not RequestValidator("other").validate(URL, dict(PARAMS), sign("secret", URL, PARAMS))


def test_a_get_is_signed_by_its_url_alone() -> None:
    assert RequestValidator("secret").validate(URL, {}, sign("secret", URL))


def test_what_the_sdk_signs_is_believed_and_nothing_else() -> None:
    signature = RequestValidator("secret").compute_signature(URL, dict(PARAMS))

    assert is_signed("secret", URL, PARAMS, signature)
    assert not is_signed("other", URL, PARAMS, signature)
    assert not is_signed("secret", URL + "x", PARAMS, signature)
    assert not is_signed("secret", URL, PARAMS[1:], signature)
    assert not is_signed("secret", URL, PARAMS, "")
    assert not is_signed("secret", URL, PARAMS, "ü\ud800")
