"""Ringing one contact after the other, against the simulator, until somebody was really reached."""

from __future__ import annotations

import re
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.callees.contact import Contact
from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
)
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.escalation_run import ANN, BEN, CLEO, EscalationRun, dialled, told
from tests.integration.ring_task import STAYS_QUEUED, VARIABLE, on, statuses
from tests.support.task_context import StateStore
from tests.support.virtual_time import VirtualTime

NO_SUCH_NUMBER = "+15005550001"
LONG_ENOUGH_TO_DEFER = 50

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(autouse=True)
def connection(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    monkeypatch.setattr("airflow_provider_twiliocall.triggers.twilio_call.SHORTEST_DEFERRAL_S", 0.0)


@pytest.fixture
def run(clock: VirtualTime, any_store: StateStore | None) -> EscalationRun:
    return EscalationRun(clock, store=any_store)


# Until somebody is reached


def test_the_first_is_busy_the_second_a_voicemail_and_the_third_answers(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, "busy")
    twilio_simulator.script(BEN, "voicemail")
    twilio_simulator.script(CLEO, {"outcome": "human", "talk": 30})

    reached = run.try_once(ANN, BEN, Contact("Cleo", CLEO))

    assert dialled(twilio_simulator) == [ANN, BEN, CLEO]
    assert list(told(run)) == [("0001", "busy"), ("0002", "completed"), ("0003", "completed")]
    assert reached == {
        "who": "Cleo",
        "to": "+1*******0003",
        "when": run.ti.xcoms["call"]["start_time"],
        "calls": 3,
        "call_sid": twilio_simulator.calls[2]["sid"],
        "answered_by": "human",
        # Of which Twilio's detection took four.
        "duration": 34,
    }


def test_when_is_when_somebody_answered_and_not_when_it_was_dialled(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    # So that its dates and its durations agree.
    twilio_simulator.clock.speed = 1.0
    twilio_simulator.script(ANN, {"outcome": "human", "ring": 40, "talk": 30})

    ringing = run.begin(ANN)
    twilio_simulator.skip(120)
    reached = run.finish(ringing, ANN)

    dialled_at = pendulum.parse(run.ti.xcoms["call"]["start_time"])
    assert 39 <= (pendulum.parse(reached["when"]) - dialled_at).total_seconds() <= 41


def test_who_answers_first_is_the_only_one_rung(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    reached = run.try_once()

    assert (reached["who"], reached["calls"]) == ("+1*******0001", 1)
    assert dialled(twilio_simulator) == [ANN]


def test_a_message_is_said_without_the_password_of_the_connection(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    run.try_once(message=f"The token {twilio_simulator.auth_token} has expired.")

    (create,) = [request for request in twilio_simulator.requests if request.operation == "create"]
    assert twilio_simulator.auth_token not in dict(create.form)["Twiml"]


@pytest.mark.parametrize(
    "ending",
    [
        {"outcome": "busy", "ring": LONG_ENOUGH_TO_DEFER},
        {"outcome": "voicemail", "ring": LONG_ENOUGH_TO_DEFER},
        {"outcome": "human", "talk": 1},
        {"outcome": "unknown"},
        {"outcome": "no-answer"},
        {"outcome": "canceled"},
        {"outcome": "failed"},
        {"outcome": "failed", "error_code": 13227},
    ],
    ids=lambda ending: f"{ending['outcome']} {ending.get('error_code', '')}",
)
def test_whoever_was_not_really_reached_is_followed_by_the_next(
    twilio_simulator: TwilioSimulator, run: EscalationRun, ending: dict[str, Any]
) -> None:
    twilio_simulator.script(ANN, ending)

    reached = run.try_once()

    assert (reached["to"], reached["calls"]) == ("+1*******0002", 2)
    assert dialled(twilio_simulator) == [ANN, BEN]


def test_a_shorter_conversation_will_do_where_the_author_says_so(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, {"outcome": "human", "talk": 1})

    assert run.try_once(min_duration=0)["to"] == "+1*******0001"


def test_a_call_that_stays_in_twilios_queue_is_canceled_while_queued_and_does_not_hold_up_the_next(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    reached = run.try_once(STAYS_QUEUED, BEN, queue_timeout=2)

    assert (reached["to"], reached["calls"]) == ("+1*******0002", 2)
    assert statuses(twilio_simulator) == ["canceled", "completed"]
    assert dialled(twilio_simulator) == [STAYS_QUEUED, BEN]


def test_a_call_of_which_twilio_refuses_to_tell_is_followed_by_the_next(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    waiting = run.begin()
    twilio_simulator.inject(on("get", kind="status", status=401, code=20003))

    reached = run.finish(waiting)

    assert next(told(run)) == ("0001", "unknown")
    assert (reached["to"], reached["calls"]) == ("+1*******0002", 2)


# Rounds


def test_after_a_pause_there_is_a_second_round(twilio_simulator: TwilioSimulator, run: EscalationRun) -> None:
    twilio_simulator.script(ANN, ["busy", "busy"])
    twilio_simulator.script(BEN, ["no-answer", "human"])

    reached = run.try_once(ANN, BEN, round_after=90)

    assert (reached["to"], reached["calls"]) == ("+1*******0002", 4)
    assert dialled(twilio_simulator) == [ANN, BEN, ANN, BEN]
    assert run.pauses == [pytest.approx(90, abs=5)]


def test_without_a_pause_the_second_round_follows_at_once(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script("*", "busy")

    with pytest.raises(TwilioCallEndedForGoodError):
        run.try_once(ANN, BEN, round_after=0)

    assert dialled(twilio_simulator) == [ANN, BEN, ANN, BEN]
    assert run.pauses == []


def test_nobody_reached_fails_for_good_and_says_whom_it_tried_and_how_it_went(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, ["busy", "no-answer"])
    twilio_simulator.script(BEN, "voicemail")

    with pytest.raises(TwilioCallEndedForGoodError) as failed:
        run.try_once(Contact("Ann", ANN), BEN)

    assert isinstance(failed.value, AirflowFailException)
    assert "Nobody was reached with 4 calls. Ann: busy, no-answer; +1*******0002: answered by machine" in str(
        failed.value
    )
    assert [status for _, status in told(run)] == ["busy", "completed", "no-answer", "completed"]


# Contacts that cannot be called


def test_a_bad_number_in_the_middle_is_told_of_before_the_others_are_rung(
    twilio_simulator: TwilioSimulator, run: EscalationRun, caplog: pytest.LogCaptureFixture
) -> None:
    twilio_simulator.script(ANN, "busy")

    reached = run.try_once(ANN, Contact("Bob", "5551234567"), CLEO)

    assert reached["to"] == "+1*******0003"
    assert list(told(run))[1] == ("4567", "refused")
    logged = caplog.text.partition("Placed call")[0]
    assert "ERROR" in logged
    assert "Bob cannot be called, the others are: to='5551234567' is not E.164" in logged


def test_bad_numbers_alone_fail_the_task_before_anything_is_dialled(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    with pytest.raises(TwilioCallRefusedError, match=r"(?s)fix these.*'5551234567' is not.*40404.*short"):
        run.try_once("5551234567", "40404")

    assert dialled(twilio_simulator) == []


def test_what_is_wrong_with_every_call_is_said_once(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    with pytest.raises(TwilioCallRefusedError) as refused:
        run.try_once(timeout="{{ not rendered }}")

    assert str(refused.value).count("timeout=") == 1


def test_a_number_that_twilio_refuses_does_not_end_it_and_is_not_dialled_in_the_next_round(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, "busy")
    twilio_simulator.script(CLEO, ["busy", "human"])

    reached = run.try_once(ANN, NO_SUCH_NUMBER, CLEO)

    assert dialled(twilio_simulator) == [ANN, NO_SUCH_NUMBER, CLEO, ANN, CLEO]
    assert (reached["to"], reached["calls"]) == ("+1*******0003", 4)
    assert "21217" in run.ti.xcoms["dials"][1]["problem"]


def test_every_contact_refused_fails_for_good_at_once_and_says_why(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    with pytest.raises(TwilioCallEndedForGoodError, match=r"(?s)with 0 calls.*refused.*21217.*21215"):
        run.try_once(NO_SUCH_NUMBER, "+15005550003")

    assert run.pauses == []
    assert len(dialled(twilio_simulator)) == 2


def test_a_contact_for_whom_twilio_takes_no_call_now_is_tried_again_in_the_next_round(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(BEN, "busy")
    twilio_simulator.inject(on("create", kind="status", status=429, code=10004, to=ANN))

    reached = run.try_once(ANN, BEN)

    assert next(told(run)) == ("0001", "not placed")
    assert (reached["to"], reached["calls"]) == ("+1*******0001", 2)


def test_where_no_phone_has_rung_a_retry_begins_again(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.inject(on("create", kind="status", status=429, code=10004, times=4))

    with pytest.raises(TwilioCallNotPlacedError, match="no phone is known to have rung"):
        run.try_once(ANN, BEN)
    reached = run.try_once(ANN, BEN)

    assert (reached["to"], reached["calls"]) == ("+1*******0001", 1)
    assert dialled(twilio_simulator) == [ANN, BEN, ANN, BEN, ANN]


def test_a_retry_that_began_again_has_all_its_rounds(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.inject(on("create", kind="status", status=429, code=10004, times=4))
    twilio_simulator.script("*", "busy")

    with pytest.raises(TwilioCallNotPlacedError):
        run.try_once(ANN, BEN)
    with pytest.raises(TwilioCallEndedForGoodError, match=r"0001: busy, busy; .*0002: busy, busy"):
        run.try_once(ANN, BEN)

    assert dialled(twilio_simulator)[4:] == [ANN, BEN, ANN, BEN]


# Windows


def closed(clock: VirtualTime, *, opens_in: int = 3600) -> CallWindow:
    """A window that opens some seconds from now."""
    day = 86_400
    opening = int(clock.time() + opens_in) % day
    start, end = divmod(opening // 60, 60), divmod((opening + 3600) % day // 60, 60)
    return CallWindow("{:02}:{:02}".format(*start), "{:02}:{:02}".format(*end), "UTC")


def test_a_contact_outside_the_call_window_is_passed_over(
    twilio_simulator: TwilioSimulator, run: EscalationRun, clock: VirtualTime
) -> None:
    reached = run.try_once(Contact("Ann", ANN, closed(clock)), BEN)

    assert (reached["to"], reached["calls"]) == ("+1*******0002", 1)
    assert next(told(run)) == ("0001", "outside call window")
    assert dialled(twilio_simulator) == [BEN]


def test_who_was_outside_the_call_window_is_said_where_nobody_was_reached(
    twilio_simulator: TwilioSimulator, run: EscalationRun, clock: VirtualTime
) -> None:
    twilio_simulator.script(BEN, "busy")

    with pytest.raises(TwilioCallEndedForGoodError) as failed:
        run.try_once(Contact("Ann", ANN, closed(clock)), BEN)

    assert "Ann: outside the call window, outside the call window; +1*******0002: busy, busy" in str(
        failed.value
    )
    assert re.search(r"Ann is called from \d\d:\d\d to \d\d:\d\d in UTC only", str(failed.value))


def test_all_of_them_outside_their_windows_fails_without_a_call(
    twilio_simulator: TwilioSimulator, run: EscalationRun, clock: VirtualTime
) -> None:
    with pytest.raises(TwilioCallEndedForGoodError, match=r"with 0 calls\. Ann: outside the call window"):
        run.try_once(Contact("Ann", ANN, closed(clock)))

    assert dialled(twilio_simulator) == []
    assert len(run.pauses) == 1


def test_a_contact_whose_window_never_opens_is_an_error_and_the_others_are_rung(
    twilio_simulator: TwilioSimulator, run: EscalationRun, caplog: pytest.LogCaptureFixture
) -> None:
    hours = CallWindow("09:00", "12:00", "callee")

    run.try_once(Contact("Ivan", "+79161234567", hours), BEN)

    assert dialled(twilio_simulator) == [BEN]
    assert next(told(run)) == ("4567", "refused")
    assert (
        "Ivan cannot be called, the others are: Ivan: the call window 09:00 to 12:00 is never open"
        in caplog.text
    )


def test_a_window_that_opens_before_the_next_round_counts_then(
    twilio_simulator: TwilioSimulator, run: EscalationRun, clock: VirtualTime
) -> None:
    reached = run.try_once(Contact("Ann", ANN, closed(clock, opens_in=300)), round_after=600)

    assert reached["who"] == "Ann"
