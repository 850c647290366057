"""What the two Retry configurations allow."""

from __future__ import annotations

import pytest
from urllib3.response import HTTPResponse
from urllib3.util import Retry

from airflow_provider_twiliocall.twilio.transport import (
    LONGEST_PAUSE_S,
    READ_RETRY,
    WRITE_RETRY,
)


@pytest.mark.parametrize("status", [413, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("has_retry_after", [True, False], ids=["with-retry-after", "without"])
def test_no_answer_makes_a_write_go_again(status: int, has_retry_after: bool) -> None:
    assert not WRITE_RETRY.is_retry("POST", status, has_retry_after)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_faults_make_a_read_go_again(status: int) -> None:
    assert READ_RETRY.is_retry("GET", status)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404])
def test_lasting_answers_do_not_make_a_read_go_again(status: int) -> None:
    assert not READ_RETRY.is_retry("GET", status)


@pytest.mark.parametrize("rule", [READ_RETRY, WRITE_RETRY], ids=["reads", "writes"])
def test_no_redirect_is_followed(rule: Retry) -> None:
    assert rule.redirect == 0


def test_pause_of_hours_is_capped() -> None:
    response = HTTPResponse(status=503, headers={"Retry-After": "7200"})
    assert READ_RETRY.get_retry_after(response) == LONGEST_PAUSE_S


def test_short_pause_is_kept() -> None:
    assert READ_RETRY.get_retry_after(HTTPResponse(status=503, headers={"Retry-After": "3"})) == 3


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}], ids=["none", "unreadable"])
def test_no_readable_pause_leaves_it_to_the_backoff(headers: dict[str, str]) -> None:
    assert READ_RETRY.get_retry_after(HTTPResponse(status=503, headers=headers)) is None


def test_pauses_between_reads_stay_short() -> None:
    tried = READ_RETRY
    for _ in range(4):
        tried = tried.increment("GET", "/", response=HTTPResponse(status=503))
    assert 0 < tried.get_backoff_time() <= 8
