"""Errors say what happened, what is known of it, and what to do; never a whole phone number."""

from __future__ import annotations

import pickle

import pytest

from airflow_provider_twiliocall.twilio.errors import (
    ADVICE,
    TwilioAmbiguousError,
    TwilioError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)

# Every code of the facts' table, and those of a failed call's notifications.
CODES = [
    *(20003, 20008, 10001, 20005),
    *(21201, 21213, 21205, 21206, 21208, 21209, 21211, 21212, 21217, 21218),
    *(21221, 21222, 21223, 21224, 21225, 21234, 32018),
    *(21210, 21214, 21215, 21216, 21219),
    *(20404, 21220, 20009),
    *(20429, 22005, 10004),
    *(13227, 32205),
]
KINDS = [
    TwilioRejectedError,
    TwilioNotFoundError,
    TwilioThrottledError,
    TwilioUnreachableError,
    TwilioAmbiguousError,
]


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_table_has_advice_in_a_whole_sentence(code: int) -> None:
    error = TwilioRejectedError("no", http_status=400, code=code)
    assert error.advice == ADVICE[code]
    assert str(error).endswith(ADVICE[code])
    assert ADVICE[code].endswith(".")


def test_str_has_message_code_status_request_and_advice() -> None:
    error = TwilioRejectedError("Twilio said no", http_status=400, code=21211, request_id="RQ1")
    assert str(error) == (
        "Twilio said no (code 21211, HTTP 400, request RQ1). "
        "Give `to` in E.164, e.g. +15551234567, and not the same as `from_`."
    )


def test_str_leaves_out_what_is_not_known() -> None:
    assert str(TwilioUnreachableError("No connection")) == "No connection"
    assert str(TwilioAmbiguousError("Odd", http_status=502)) == "Odd (HTTP 502)"


def test_code_nobody_knows_has_no_advice() -> None:
    error = TwilioRejectedError("Something new", code=99999)
    assert error.advice is None
    assert str(error) == "Something new (code 99999)"


def test_error_without_a_code_has_no_advice() -> None:
    assert TwilioError("Something").advice is None


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_in_a_message_are_redacted_everywhere(kind: type[TwilioError]) -> None:
    error = kind("The number +15558675310 is not valid")
    assert [text for text in (str(error), repr(error), error.message) if "867" in text] == []
    assert "+1*******5310" in str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_pickle_with_all_they_know(kind: type[TwilioError]) -> None:
    error = kind("Odd", http_status=429, code=20429, request_id="RQ1")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert vars(back) == vars(error)
    assert str(back) == str(error)


def test_throttled_pickles_with_its_pause() -> None:
    assert pickle.loads(pickle.dumps(TwilioThrottledError("Wait", retry_after=2.5))).retry_after == 2.5


def test_one_class_catches_them_all_and_none_catches_another() -> None:
    assert {kind.__bases__ for kind in KINDS} == {(TwilioError,)}
