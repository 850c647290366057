"""What a request that failed means to the one who asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from airflow_provider_twiliocall.twilio.errors import (
    TwilioAmbiguousError,
    TwilioError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from airflow_provider_twiliocall.twilio.failed_request import (
    error_from_answer,
    error_from_fault,
    error_from_garbage,
    json_from,
)


def answer(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.url = "https://api.twilio.com/2010-04-01/Accounts/AC/Calls.json"
    response.headers.update(headers or {})
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return response


# Answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "of_a_write", "of_a_read"),
    [
        (400, {"code": 21211}, TwilioRejectedError, TwilioRejectedError),
        (401, {"code": 20003}, TwilioRejectedError, TwilioRejectedError),
        (403, {"code": 20008}, TwilioRejectedError, TwilioRejectedError),
        (404, {"code": 20404}, TwilioNotFoundError, TwilioNotFoundError),
        (404, b"<html>", TwilioRejectedError, TwilioNotFoundError),
        (407, b"", TwilioUnreachableError, TwilioUnreachableError),
        (408, b"", TwilioAmbiguousError, TwilioUnreachableError),
        (429, b"", TwilioThrottledError, TwilioThrottledError),
        (429, {"code": 20429}, TwilioThrottledError, TwilioThrottledError),
        (400, {"code": 10004}, TwilioThrottledError, TwilioThrottledError),
        (503, {"code": 22005}, TwilioThrottledError, TwilioThrottledError),
        (500, {"code": 20500}, TwilioAmbiguousError, TwilioUnreachableError),
        (502, b"<html>", TwilioAmbiguousError, TwilioUnreachableError),
        (302, b"", TwilioRejectedError, TwilioRejectedError),
    ],
)
def test_answer_means_what_the_caller_should_do(
    status: int, body: Any, of_a_write: type[TwilioError], of_a_read: type[TwilioError]
) -> None:
    assert type(error_from_answer(answer(status, body), changes_something=True)) is of_a_write
    assert type(error_from_answer(answer(status, body), changes_something=False)) is of_a_read


def test_error_has_everything_the_answer_said() -> None:
    body = {"code": 21217, "message": "+15558675310 is not valid", "status": 400}
    error = error_from_answer(answer(400, body, {"Twilio-Request-Id": "RQ1"}), changes_something=True)
    assert (error.http_status, error.code, error.request_id) == (400, 21217, "RQ1")
    assert "+1*******5310 is not valid" in error.message


def test_code_that_is_no_number_is_left_out() -> None:
    assert error_from_answer(answer(400, {"code": "E1"}), changes_something=True).code is None


def test_answer_without_words_still_gets_a_sentence() -> None:
    assert "no reason given" in str(error_from_answer(answer(400), changes_something=True))


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Fri, 18 Oct 2019 17:00:00 GMT", 0.0),
        ("Fri, 18 Oct 2019 17:00:00 -0000", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_pause_is_read_from_seconds_or_a_date(header: str, pause: float | None) -> None:
    error = error_from_answer(answer(429, headers={"Retry-After": header}), changes_something=True)
    assert isinstance(error, TwilioThrottledError)
    assert error.retry_after == pause


# Garbage and faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"sid": "CA', b"\xff\xfe"])
def test_only_a_json_object_is_an_answer(body: bytes) -> None:
    with pytest.raises(ValueError):
        json_from(answer(200, body))


def test_garbage_is_described_but_not_shown() -> None:
    response = answer(200, b"<html>+15558675310</html>", {"Content-Type": "text/html"})
    assert str(error_from_garbage(response, changes_something=True)) == (
        "The answer could not be read (text/html, 25 bytes) (HTTP 200)"
    )


def test_fault_without_a_cause_is_taken_for_the_worst() -> None:
    fault = requests.RequestException()
    url = "https://api.twilio.com/x"
    assert type(error_from_fault(fault, changes_something=True, url=url)) is TwilioAmbiguousError
    assert type(error_from_fault(fault, changes_something=False, url=url)) is TwilioUnreachableError


def test_proxy_nobody_named_is_one_in_the_environment() -> None:
    error = error_from_answer(answer(407), changes_something=True)
    assert "The proxy in the environment asks for a login (407)" in str(error)
