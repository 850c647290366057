"""What is reported of alerts."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_twiliocall.notifications.alert import Alerted
from airflow_provider_twiliocall.notifications.alert_report import AlertReport

CALLEE = "+1*******0001"


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def say(self, level: int, message: str, *args: Any) -> None:
        self.lines.append((level, message % args))


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def report(log: Log) -> AlertReport:
    return AlertReport(log.say, timedelta(minutes=15))


def alert(*, is_settled: bool = True) -> Any:
    settled = threading.Event()
    if is_settled:
        settled.set()
    return SimpleNamespace(callee=CALLEE, is_settled=settled, placed=SimpleNamespace(sid="CA1"))


def alerted(*, is_ours: bool) -> Alerted:
    call: Any = SimpleNamespace(sid="CA1", status="ringing")
    return Alerted(call, is_ours=is_ours)


def test_a_call_that_was_placed_is_logged_and_is_no_failure(log: Log, report: AlertReport) -> None:
    rung: Future[Alerted] = Future()
    rung.set_result(alerted(is_ours=True))
    report.ended(alert(), rung, within=10.0)
    assert log.lines == [(logging.INFO, f"Placed call CA1 to {CALLEE}.")]
    assert report.failures == []


def test_a_call_that_covers_the_alert_is_a_warning(log: Log, report: AlertReport) -> None:
    rung: Future[Alerted] = Future()
    rung.set_result(alerted(is_ours=False))
    report.ended(alert(), rung, within=10.0)
    [(level, line)] = log.lines
    assert level == logging.WARNING
    assert "call CA1 (ringing) covers this alert, within the cooldown of 0:15:00" in line
    assert report.failures == []


def test_an_error_without_words_is_reported_by_its_kind(report: AlertReport) -> None:
    rung: Future[Alerted] = Future()
    rung.set_exception(TimeoutError())
    report.ended(alert(), rung, within=10.0)
    assert report.failures == [f"{CALLEE}: TimeoutError"]


def test_an_alert_that_is_not_settled_in_time_is_a_failure_and_its_end_is_logged_later(
    log: Log, report: AlertReport
) -> None:
    rung: Future[Alerted] = Future()
    report.ended(alert(is_settled=False), rung, within=10.0)
    assert report.failures == [f"{CALLEE}: no answer within 10 s: the phone may ring"]
    rung.set_result(alerted(is_ours=True))
    assert log.lines[-1] == (logging.INFO, f"Placed call CA1 to {CALLEE}.")


def test_where_no_phone_rings_it_is_critical(log: Log, report: AlertReport) -> None:
    rung: Future[Alerted] = Future()
    rung.set_exception(ValueError("wrong token"))
    report.ended(alert(), rung, within=10.0)
    report.all_ended()
    assert log.lines[-1] == (
        logging.CRITICAL,
        f"Nobody was called, as far as is known. These may not know what has happened: {CALLEE}: wrong token",
    )


@pytest.mark.parametrize("is_ours", [True, False])
def test_where_one_phone_rings_what_went_wrong_with_another_is_not_critical(
    log: Log, report: AlertReport, is_ours: bool
) -> None:
    rung: Future[Alerted] = Future()
    rung.set_result(alerted(is_ours=is_ours))
    report.failed("+1*******0002", "too short")
    report.ended(alert(), rung, within=10.0)
    report.all_ended()
    assert logging.CRITICAL not in [level for level, _ in log.lines]


def test_where_the_second_look_goes_on_nothing_is_critical(log: Log, report: AlertReport) -> None:
    report.failed("+1*******0002", "too short")
    report.ended(alert(), Future(), within=10.0)
    report.all_ended()
    assert logging.CRITICAL not in [level for level, _ in log.lines]


def test_a_second_look_that_goes_on_is_no_failure(log: Log, report: AlertReport) -> None:
    report.ended(alert(), Future(), within=10.0)
    assert log.lines == [(logging.INFO, f"Placed call CA1 to {CALLEE}. The second look goes on.")]
    assert report.failures == []
