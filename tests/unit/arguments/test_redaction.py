"""What Airflow masks in its logs is not said on the phone either."""

from __future__ import annotations

from typing import Any

import airflow.sdk.log
import pytest
from airflow.sdk.log import mask_secret

from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.arguments.call_params import params_from_arguments
from airflow_provider_twiliocall.arguments.redaction import RedactionError, redacted
from airflow_provider_twiliocall.notifications.default_message import LONGEST_REASON, default_message
from airflow_provider_twiliocall.twilio.params import CallParamsError, CreateCallParams

SECRET = "correct-horse-battery-staple"


@pytest.fixture(autouse=True)
def masked() -> None:
    mask_secret(SECRET)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def redact(*_: Any, **__: Any) -> str:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(airflow.sdk.log, "redact", redact)


def params(**given: Any) -> CreateCallParams:
    said = {name: given.pop(name, None) for name in SPEECH_FIELDS}
    arguments = dict.fromkeys(CREATE_CALL_FIELDS) | {"to": "+15551234567"} | given
    return params_from_arguments(arguments, said, accept_answered_by=None)


def test_a_masked_secret_is_replaced_by_a_word() -> None:
    assert redacted(f"login with {SECRET} failed").split() == ["login", "with", "redacted", "failed"]


def test_text_without_secrets_stays_as_it_is() -> None:
    assert redacted("login failed:\n  twice") == "login failed:\n  twice"


def test_a_redaction_that_fails_is_told_without_the_secret(broken: None) -> None:
    with pytest.raises(RedactionError, match="so it is not said") as refused:
        redacted(SECRET)
    assert SECRET not in str(refused.value)


def test_a_redaction_that_fails_inside_airflow_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow.sdk.log, "redact", lambda *_, **__: "<redaction-failed>")
    with pytest.raises(RedactionError):
        redacted("anything")


@pytest.mark.parametrize("verbatim", [None, True])
def test_a_message_is_said_without_secrets(verbatim: bool | None) -> None:
    twiml = str(params(message=f"Password {SECRET} expired", verbatim=verbatim).twiml)
    assert SECRET not in twiml
    assert "redacted" in twiml


def test_what_is_no_message_is_passed_on_as_it_is() -> None:
    twiml = f"<Response><Say>{SECRET}</Say></Response>"
    url = f"https://example.com/{SECRET}"
    assert params(twiml=twiml, status_callback=url).model_dump(exclude_none=True) == {
        "to": "+15551234567",
        "twiml": twiml,
        "status_callback": url,
    }
    assert SECRET in str(params(audio_url=url).twiml)


def test_a_reason_that_the_callee_sees_is_redacted() -> None:
    assert str(params(message="hi", call_reason=f"orders {SECRET}").call_reason).split() == [
        "orders",
        "redacted",
    ]


def test_a_message_that_cannot_be_redacted_is_not_said(broken: None) -> None:
    with pytest.raises(CallParamsError, match="message: Airflow cannot redact it"):
        params(message="hello")


def test_an_exception_is_said_without_secrets() -> None:
    told = default_message({"ti": None, "exception": ValueError(f"cannot log in with {SECRET}")})
    assert SECRET not in told
    assert "cannot log in with" in told


def test_a_secret_that_is_cut_with_the_exception_is_not_said_in_part() -> None:
    before = "x " * ((LONGEST_REASON - len("ValueError: ") - len(SECRET) // 2) // 2)
    told = default_message({"exception": ValueError(before + SECRET)})
    assert SECRET[:8] not in told


def test_a_secret_of_several_lines_is_not_said_by_its_first() -> None:
    mask_secret("BEGIN-KEY\nabcdef")
    assert "BEGIN-KEY" not in default_message({"exception": ValueError("BEGIN-KEY\nabcdef")})


def test_an_exception_that_cannot_be_redacted_is_told_by_its_kind(broken: None) -> None:
    told = default_message({"exception": ValueError(SECRET), "reason": "timed_out"})
    assert SECRET not in told
    assert "ValueError" in told
