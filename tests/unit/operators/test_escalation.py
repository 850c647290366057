"""Whose turn it is in an escalation, when a retry may begin again, and what is said when nobody was reached."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.callees.rules import DialRules
from airflow_provider_twiliocall.journal.attempt import CallAttempt
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.operators.escalation import Callee, Escalation
from airflow_provider_twiliocall.twilio.params import CreateCallParams

BUSY, REFUSED, UNKNOWN = Reason.BUSY, Reason.REFUSED, Reason.UNKNOWN
NOT_NOW, NOT_PLACED = Reason.OUTSIDE_WINDOW, Reason.NOT_PLACED
NOON, MIDNIGHT = 1_800_014_400.0, 1_800_057_600.0
BY_DAY = DialRules(CallWindow("08:00", "18:00", "UTC"))


def callee(who: str, rules: DialRules | None = None) -> Callee:
    params = CreateCallParams(to="+15551230001", from_="+15551230009", twiml="<Response/>")
    return Callee(who, "+1*******0001", params, rules or DialRules())


ANN, BEN = callee("Ann"), callee("Ben", BY_DAY)
BAD = Callee("Bad", "'555'", None, problem="to='555' is not E.164")


def dial(
    step: int, reason: Reason, call_sid: str | None = "CA1", problem: str | None = None, **how: Any
) -> CallAttempt:
    return CallAttempt(step, call_sid, "+1*******0001", reason.value, reason, problem=problem, **how)


@pytest.mark.parametrize(
    ("step", "who", "round_", "begins"),
    [
        (0, "Ann", 0, False),
        (1, "Ben", 0, False),
        (2, "Ann", 1, True),
        (3, "Ben", 1, False),
        (4, "Ann", 0, False),
    ],
)
def test_steps_go_from_contact_to_contact_and_round_to_round_and_on_in_a_new_pass(
    step: int, who: str, round_: int, begins: bool
) -> None:
    escalation = Escalation([ANN, BEN], rounds=2)

    assert escalation.callee(step).who == who
    assert (escalation.round_of(step), escalation.begins_round(step)) == (round_, begins)


def test_what_belongs_to_an_earlier_pass_is_left_out() -> None:
    escalation = Escalation([ANN], rounds=2)
    dials = [dial(0, NOT_PLACED), dial(1, NOT_PLACED), dial(2, BUSY)]

    assert escalation.of_this_pass(dials, 3) == dials[2:]


@pytest.mark.parametrize(
    ("dials", "begun", "step"),
    [
        ([], 0, 0),
        ([dial(0, BUSY)], 0, 1),
        ([dial(0, BUSY)], 1, 1),
        ([dial(0, BUSY), dial(1, NOT_NOW, None)], 0, 2),
        ([dial(0, Reason.QUEUE_TIMEOUT)], 0, 1),
        ([dial(0, Reason.WINDOW_CLOSED)], 0, 1),
        ([dial(0, Reason.ENDED_BY_US)], 0, 0),
        ([dial(0, BUSY), dial(1, Reason.ENDED_BY_US)], 1, 1),
    ],
    ids=["new", "busy", "begun", "passed over", "queued", "too late", "killed", "killed later"],
)
def test_the_next_step_comes_after_the_last_but_for_a_call_that_was_killed_with_its_task(
    dials: list[CallAttempt], begun: int, step: int
) -> None:
    assert Escalation([ANN, BEN], rounds=2).step_after(dials, begun) == step


def test_a_contact_who_can_be_called_is_rung() -> None:
    assert Escalation([ANN, BEN], rounds=1).why_not(1, [], NOON) is None


def test_a_contact_outside_the_call_window_is_passed_over() -> None:
    noted = Escalation([ANN, BEN], rounds=1).why_not(1, [], MIDNIGHT)

    assert noted == dial(1, NOT_NOW, None, "Ben is called from 08:00 to 18:00 in UTC only")


def test_a_contact_that_cannot_be_called_is_passed_over() -> None:
    noted = Escalation([ANN, BAD], rounds=1).why_not(1, [], NOON)

    assert (noted and noted.reason, noted and noted.problem) == (REFUSED, BAD.problem)


def test_a_contact_that_twilio_has_refused_is_passed_over_in_later_rounds() -> None:
    noted = Escalation([ANN, BEN], rounds=2).why_not(2, [dial(0, REFUSED, None, "21217")], NOON)

    assert noted == dial(2, REFUSED, None, "21217")


def test_another_round_is_no_use_where_nobody_can_be_called() -> None:
    escalation = Escalation([ANN, BAD], rounds=2)

    assert escalation.is_hopeless([dial(0, REFUSED, None, "21217")])
    assert not escalation.is_hopeless([dial(0, BUSY)])


@pytest.mark.parametrize(
    ("dials", "may_ring_twice", "expected"),
    [
        ([dial(0, NOT_PLACED, None)], False, True),
        ([dial(0, NOT_PLACED, None), dial(1, REFUSED, None)], False, True),
        ([dial(0, UNKNOWN, None)], True, True),
        ([dial(0, UNKNOWN, None), dial(1, NOT_PLACED, None)], False, False),
        ([dial(0, UNKNOWN)], True, False),
        ([dial(0, REFUSED, None)], True, False),
        ([dial(0, NOT_NOW, None)], True, False),
        ([dial(0, NOT_PLACED, None), dial(1, BUSY)], True, False),
        ([], True, False),
    ],
)
def test_a_retry_may_help_where_no_phone_is_known_to_have_rung(
    dials: list[CallAttempt], may_ring_twice: bool, expected: bool
) -> None:
    escalation = Escalation([ANN, BEN], rounds=1, may_ring_twice=may_ring_twice)

    assert escalation.may_help_to_try_again(dials) is expected


def test_the_story_tells_of_each_contact_and_gives_each_reason_once() -> None:
    escalation = Escalation([ANN, BEN, BAD], rounds=2)
    voicemail = dial(1, Reason.VOICEMAIL, "CA2", answered_by="machine_end_beep", duration=9)
    canceled_while_queued = dial(3, Reason.QUEUE_TIMEOUT, "CA4")

    story = escalation.summary(
        [
            dial(0, BUSY),
            voicemail,
            dial(2, REFUSED, None, "not E.164"),
            canceled_while_queued,
            dial(4, Reason.CANCELED_ELSEWHERE, "CA5"),
            dial(5, REFUSED, None, "not E.164"),
        ]
    )

    assert story == (
        "Ann: busy, ended by this task before anybody was reached; "
        "Ben: answered by machine_end_beep, 9 s, canceled elsewhere; Bad: refused\n- not E.164"
    )


def test_a_contact_whose_turn_never_came_is_said_not_to_have_been_tried() -> None:
    assert Escalation([ANN, BEN], rounds=1).summary([dial(0, BUSY)]) == "Ann: busy; Ben: not tried"
