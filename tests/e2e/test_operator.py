"""CreateCallOperator in Airflow's own processes, waiting on a worker and waiting deferred."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.e2e.airflow_processes import Run

Dialled = Callable[[str], int]


class Mode(NamedTuple):
    run: Run
    exchange: str
    is_deferred: bool


@pytest.fixture(params=["sync", "deferred"])
def mode(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Mode:
    is_deferred = request.param == "deferred"
    return Mode(runs[f"operator_{request.param}"], "+150055521" if is_deferred else "+150055520", is_deferred)


def ended(mode: Mode, task_id: str) -> tuple[str, int]:
    task = mode.run.task(task_id)
    return task["state"], task["try_number"]


def test_an_answered_call_succeeds_and_is_placed_once(mode: Mode, dialled: Dialled) -> None:
    assert ended(mode, "answered") == ("success", 1)
    assert dialled(f"{mode.exchange}01") == 1


def test_the_return_value_is_the_sid_and_the_call_tells_how_it_ended(mode: Mode) -> None:
    call = mode.run.xcom("answered", "call")

    assert mode.run.xcom("answered") == mode.run.xcom("answered", "call_sid") == call["sid"]
    assert (call["status"], call["duration"]) == ("completed", 8)


def test_the_call_in_xcom_shows_the_last_four_digits_only(mode: Mode) -> None:
    call = mode.run.xcom("answered", "call")

    assert call["to"] == f"+1*******{mode.exchange[-2:]}01"
    assert "5005552" not in str(call)


def test_a_busy_line_is_redialled_by_a_retry(mode: Mode, dialled: Dialled) -> None:
    assert ended(mode, "busy_then_answered") == ("success", 2)
    assert dialled(f"{mode.exchange}02") == 2


def test_a_line_that_stays_busy_fails_when_the_retries_are_used_up(mode: Mode, dialled: Dialled) -> None:
    assert ended(mode, "busy") == ("failed", 2)
    assert dialled(f"{mode.exchange}03") == 2
    assert mode.run.xcom("busy", "call")["status"] == "busy"
    assert "the line was busy" in mode.run.log("busy", 2)


def test_a_refused_voicemail_fails_and_is_redialled(mode: Mode, dialled: Dialled) -> None:
    assert ended(mode, "voicemail") == ("failed", 2)
    assert dialled(f"{mode.exchange}04") == 2
    assert mode.run.xcom("voicemail", "call")["answered_by"] == "machine_end_beep"


def test_a_country_that_is_not_permitted_is_not_retried(mode: Mode, dialled: Dialled) -> None:
    assert ended(mode, "country_not_permitted") == ("failed", 1)
    assert dialled(f"{mode.exchange}05") == 1
    assert "13227" in mode.run.log("country_not_permitted")


def test_a_call_canceled_elsewhere_is_not_retried(mode: Mode, dialled: Dialled) -> None:
    assert ended(mode, "canceled_elsewhere") == ("failed", 1)
    assert dialled(f"{mode.exchange}06") == 1
    assert "not by this task" in mode.run.log("canceled_elsewhere")


def test_wrong_credentials_are_not_retried(mode: Mode, dialled: Dialled) -> None:
    assert ended(mode, "wrong_credentials") == ("failed", 1)
    assert dialled(f"{mode.exchange}07") == 1
    assert "20003" in mode.run.log("wrong_credentials")


def test_a_bad_number_fails_at_once_and_nothing_is_dialled(mode: Mode, dialled: Dialled) -> None:
    assert ended(mode, "bad_number") == ("failed", 1)
    assert dialled(f"{mode.exchange}08") == dialled(f"{mode.exchange[1:]}08") == 0


def test_a_bad_number_is_told_how_to_mend_it(mode: Mode) -> None:
    log = mode.run.log("bad_number")

    assert "Nothing was dialled" in log
    assert "E.164" in log


@pytest.mark.parametrize("task_id", ["answered", "busy", "country_not_permitted", "wrong_credentials"])
def test_the_log_keeps_secrets_and_whole_numbers_to_itself(
    mode: Mode, task_id: str, simulator: TwilioSimulator
) -> None:
    log = mode.run.log(task_id)

    assert mode.exchange not in log
    assert simulator.from_number not in log
    assert simulator.auth_token not in log


def test_the_log_says_whom_it_called_and_how_it_went(mode: Mode) -> None:
    sid = mode.run.xcom("answered")
    log = mode.run.log("answered")

    assert f"Placed call {sid} to +1*******{mode.exchange[-2:]}01" in log
    assert f"Call {sid} is completed" in log


def test_only_the_deferred_task_was_handed_to_the_triggerer(mode: Mode) -> None:
    log = mode.run.log("answered")

    assert ("trigger" in log.lower()) is mode.is_deferred
