"""The operator against the simulator, over HTTP: one call each, and what becomes of the task."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
    TwilioCallUnansweredError,
    TwilioConnectionNotFoundError,
)
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.twilio.twiml import message_to_twiml
from tests.integration.ring_task import (
    ANSWERS,
    BUSY,
    CANCELED_ELSEWHERE,
    FAILS,
    FAILS_WITHOUT_A_REASON,
    FAX,
    NO_ANSWER,
    SOMEBODY,
    VARIABLE,
    VOICEMAIL,
    changed,
    form,
    on,
    operations,
    place,
    place_and_wait,
    posts,
    waiting,
)
from tests.support.task_context import RecordingTaskInstance, context

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def ti() -> RecordingTaskInstance:
    return RecordingTaskInstance()


# Placing


def test_a_call_is_placed_and_its_sid_returned(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    sid = place(ti=ti)
    assert [call["sid"] for call in twilio_simulator.calls] == [sid]
    assert ti.xcoms["call_sid"] == sid
    assert ti.xcoms["call"]["sid"] == sid
    assert ti.xcoms["call"]["status"] == "queued"
    assert form(twilio_simulator) == {
        "To": ANSWERS,
        "From": twilio_simulator.from_number,
        "Twiml": message_to_twiml("hello"),
        "TimeLimit": "91",
    }
    assert twilio_simulator.refused == []


def test_xcom_and_log_show_no_more_than_the_last_four_digits(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        place_and_wait(SOMEBODY, ti)
    shown = json.dumps(ti.xcoms) + caplog.text
    assert "to +1*******0001" in caplog.text
    assert ti.xcoms["call"]["to"] == "+1*******0001"
    assert SOMEBODY not in shown
    assert twilio_simulator.from_number not in shown
    assert twilio_simulator.auth_token not in shown


def test_a_task_that_does_not_wait_looks_at_nothing(twilio_simulator: TwilioSimulator) -> None:
    place(BUSY)
    assert operations(twilio_simulator) == ["create"]


def test_a_message_that_is_too_long_is_cut_rather_than_refused(twilio_simulator: TwilioSimulator) -> None:
    CreateCallOperator(task_id="ring", to=ANSWERS, message="word " * 2000).execute(context())
    assert len(form(twilio_simulator)["Twiml"]) <= 4000
    assert "The rest of this message was cut." in form(twilio_simulator)["Twiml"]


def test_a_message_is_said_without_the_password_of_the_connection(twilio_simulator: TwilioSimulator) -> None:
    message = f"The token {twilio_simulator.auth_token} has expired."
    CreateCallOperator(task_id="ring", to=ANSWERS, message=message).execute(context())
    assert twilio_simulator.auth_token not in form(twilio_simulator)["Twiml"]
    assert "redacted" in form(twilio_simulator)["Twiml"]


def test_a_task_given_its_own_caller_id_calls_from_it(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.own("+15557654321")
    place(from_="+1 555 765 4321")
    assert form(twilio_simulator)["From"] == "+15557654321"


def test_an_account_that_a_template_renders_to_nothing_is_the_connections(
    twilio_simulator: TwilioSimulator,
) -> None:
    place(account_sid="None")
    assert twilio_simulator.account_sid in twilio_simulator.requests[0].path


class ForgetfulTaskInstance(RecordingTaskInstance):
    """A task instance whose XComs cannot be written: an API server that is away."""

    def xcom_push(self, key: str, value: Any) -> None:
        raise ConnectionError("the API server is away")


def test_a_call_that_cannot_be_noted_down_is_not_dialled_again(twilio_simulator: TwilioSimulator) -> None:
    assert place_and_wait(ANSWERS, ForgetfulTaskInstance()) == twilio_simulator.calls[0]["sid"]
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+15005550001", 21217),
        ("+15005550002", 21214),
        ("+15005550003", 21215),
        ("+15005550004", 21216),
    ],
)
def test_a_number_that_twilio_refuses_is_not_dialled_again(
    twilio_simulator: TwilioSimulator, number: str, code: int
) -> None:
    with pytest.raises(TwilioCallRefusedError, match=f"was not placed: .*code {code}") as refused:
        place(number)
    assert isinstance(refused.value, AirflowFailException)
    assert posts(twilio_simulator) == 1
    assert twilio_simulator.calls == []


def test_a_short_pause_that_twilio_asks_for_is_sat_out(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(on("create", kind="status", status=429, code=20429, headers={"Retry-After": "1"}))
    began = time.monotonic()
    sid = place()
    assert time.monotonic() - began >= 1
    assert posts(twilio_simulator) == 2
    assert [call["sid"] for call in twilio_simulator.calls] == [sid]


def test_a_long_pause_is_left_to_the_tasks_retry(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(
        on("create", kind="status", status=429, code=20429, headers={"Retry-After": "600"})
    )
    with pytest.raises(TwilioCallNotPlacedError, match=r"was not placed: .*code 20429") as failed:
        place()
    assert not isinstance(failed.value, AirflowFailException)
    assert posts(twilio_simulator) == 1
    assert twilio_simulator.calls == []


def test_too_many_calls_at_once_are_left_to_the_tasks_retry(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(on("create", kind="status", status=429, code=10004))
    with pytest.raises(TwilioCallNotPlacedError, match="wait for some to end"):
        place()
    assert posts(twilio_simulator) == 1
    assert twilio_simulator.calls == []


def test_a_twilio_that_cannot_be_reached_is_left_to_the_tasks_retry(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TwilioSimulator() as gone:
        monkeypatch.setenv(VARIABLE, gone.airflow_connection)
    with pytest.raises(TwilioCallNotPlacedError, match=r"was not placed: No connection to 127\.0\.0\.1"):
        place()
    assert gone.requests == []


def test_wrong_credentials_are_not_tried_again(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, password="wrong"))
    with pytest.raises(TwilioCallRefusedError, match=r"code 20003.*Check login"):
        place()
    assert posts(twilio_simulator) == 1


def test_a_missing_connection_is_named_and_left_to_a_retry(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioConnectionNotFoundError, match="There is no connection 'nowhere'") as failed:
        place(twilio_conn_id="nowhere")
    assert not isinstance(failed.value, AirflowFailException)
    assert twilio_simulator.requests == []


def test_a_call_can_be_placed_for_a_subaccount(twilio_simulator: TwilioSimulator) -> None:
    subaccount = "AC" + "5" * 32
    with pytest.raises(TwilioCallRefusedError):
        place(account_sid=subaccount)
    assert subaccount in twilio_simulator.requests[0].path


# Waiting: how a call ended


def test_a_completed_call_succeeds_and_its_end_is_in_xcom(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    sid = place_and_wait(ANSWERS, ti)
    assert twilio_simulator.calls[0]["status"] == "completed"
    assert ti.xcoms["call_sid"] == sid
    assert ti.xcoms["call"]["status"] == "completed"
    assert ti.xcoms["call"]["duration"] == 8
    assert {"answered_by", "price"} <= set(ti.xcoms["call"])


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (BUSY, "busy", "was not answered: the line was busy"),
        (NO_ANSWER, "no-answer", "got no answer: nobody picked up, or the callee declined"),
        (FAILS, "failed", "failed: 13224 Dial: Twilio does not support calling this number"),
        (FAILS_WITHOUT_A_REASON, "failed", "Twilio's notifications do not say why"),
    ],
)
def test_a_call_that_reached_nobody_fails_the_task_and_a_retry_may_dial_again(
    ti: RecordingTaskInstance, number: str, status: str, said: str
) -> None:
    with pytest.raises(TwilioCallUnansweredError, match=said) as failed:
        place_and_wait(number, ti, timeout=5)
    assert not isinstance(failed.value, AirflowFailException)
    assert ti.xcoms["call"]["status"] == status


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (CANCELED_ELSEWHERE, "was canceled before it was answered, and not by this task"),
        ("+15005551301", "failed: 13227 Geo Permission configuration .*Settings > Geo permissions"),
        ("+15005551302", "failed: 32205 .*Settings > Geo permissions"),
        ("+15005551303", "failed: 21215 .*Settings > Geo permissions"),
    ],
)
def test_a_call_that_no_redial_can_help_fails_the_task_for_good(number: str, said: str) -> None:
    with pytest.raises(TwilioCallEndedForGoodError, match=said) as failed:
        place_and_wait(number)
    assert isinstance(failed.value, AirflowFailException)


def test_a_failed_call_whose_reason_cannot_be_asked_is_judged_without_it(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.inject(on("notifications", kind="status", status=408))
    with pytest.raises(TwilioCallUnansweredError, match="do not say why"):
        place_and_wait(FAILS)


def test_a_busy_line_is_dialled_again_by_the_next_try(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    task = waiting(SOMEBODY)
    with pytest.raises(TwilioCallUnansweredError):
        task.execute(context())
    assert task.execute(context()) == twilio_simulator.calls[1]["sid"]
    assert [call["status"] for call in twilio_simulator.calls] == ["busy", "completed"]


# Waiting: who answered


def test_a_voicemail_gets_the_message_and_fails_the_task(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioCallUnansweredError, match=r"voicemail .*\(machine_end_beep\), and only human"):
        place_and_wait(VOICEMAIL, accept_answered_by={"human", "unknown"})
    assert form(twilio_simulator)["MachineDetection"] == "DetectMessageEnd"


def test_an_authors_own_machine_detection_is_kept(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioCallUnansweredError, match="machine_start"):
        place_and_wait(VOICEMAIL, accept_answered_by="human", machine_detection="Enable")
    assert form(twilio_simulator)["MachineDetection"] == "Enable"


def test_accepting_a_machine_at_its_first_word_asks_for_detection_of_that(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    place_and_wait(VOICEMAIL, ti, accept_answered_by={"human", "machine_start"})
    assert form(twilio_simulator)["MachineDetection"] == "Enable"
    assert ti.xcoms["call"]["answered_by"] == "machine_start"


def test_a_fax_is_not_somebody_else(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioCallUnansweredError, match=r"but something else answered \(fax\)"):
        place_and_wait(FAX, accept_answered_by="human, unknown")


def test_a_wanted_human_succeeds(twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance) -> None:
    place_and_wait(ANSWERS, ti, accept_answered_by={"human", "unknown"})
    assert ti.xcoms["call"]["answered_by"] == "human"


def test_a_voicemail_counts_where_nobody_cares_who_answers(ti: RecordingTaskInstance) -> None:
    place_and_wait(VOICEMAIL, ti)
    assert ti.xcoms["call"]["status"] == "completed"
