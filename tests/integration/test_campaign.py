"""Many calls in one task, over HTTP: each is placed once, and what became of it is told."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallInterruptedError,
    TwilioCallMaybePlacedError,
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
    TwilioCallSupersededError,
)
from airflow_provider_twiliocall.operators.call_campaign import CallCampaignOperator
from airflow_provider_twiliocall.simulator import Fault
from tests.integration.campaign_stage import CLEARED, CampaignStage, MortalStore, die_at_request, number, rows
from tests.integration.ring_task import BUSY, FAILS, NO_ANSWER, STAYS_QUEUED, VOICEMAIL, on, posts
from tests.support.interruption import SUPERSEDED, Killed
from tests.support.task_context import StateStore

pytestmark = pytest.mark.usefixtures("connection", "real_pace")

LOST = {"kind": "drop", "after": True}


# What is told


def test_each_row_is_called_once_and_counted_by_what_became_of_it(stage: CampaignStage) -> None:
    calls = [{"to": to} for to in (number(1), BUSY, NO_ANSWER, VOICEMAIL, FAILS)]
    summary = stage.run(calls, accept_answered_by={"human"})
    assert summary["outcomes"] == {"busy": 1, "completed": 1, "failed": 1, "no-answer": 1, "voicemail": 1}
    assert (summary["rows"], summary["placed"], summary["reached"]) == (5, 5, 1)
    assert summary["share_unreached"] == 0.8
    assert set(stage.rings.values()) == {1}


def test_a_row_says_what_it_is_about_and_the_operator_says_the_rest(stage: CampaignStage) -> None:
    stage.run(
        [
            {"to": number(1), "message": "for one"},
            {"to": number(2)},
            {"to": number(3), "url": "https://x.example/"},
        ],
        message="for all",
        time_limit=60,
    )
    forms = [dict(request.form) for request in stage.simulator.requests if request.operation == "create"]
    assert ["for one" in forms[0]["Twiml"], "for all" in forms[1]["Twiml"], "Twiml" in forms[2]] == [
        True,
        True,
        False,
    ]
    assert {form["TimeLimit"] for form in forms} == {"60"}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_results_have_one_row_for_each_call_and_no_whole_number(
    stage: CampaignStage, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / "new" / f"results{suffix}"
    summary = stage.run([{"to": number(1), "id": "ann"}, {"to": BUSY, "id": "bob"}], results_path=str(path))
    (part,) = map(Path, summary["results"])
    text = part.read_text()
    told = (
        list(csv.DictReader(text.splitlines())) if suffix == ".csv" else [*map(json.loads, text.splitlines())]
    )
    assert [(each["id"], each["status"], str(each["dials"])) for each in told] == [
        ("ann", "completed", "1"),
        ("bob", "busy", "1"),
    ]
    assert [each["call_sid"] for each in told] == [call["sid"] for call in stage.simulator.calls]
    assert number(1) not in text
    assert told[0]["to"] == "+1*******0001"
    assert [file.name for file in path.parent.iterdir()] == [part.name]


def test_the_task_fails_where_too_few_were_reached(stage: CampaignStage) -> None:
    calls = [{"to": number(1)}, {"to": BUSY}, {"to": number(2)}]
    with pytest.raises(TwilioCallEndedForGoodError, match=r"33\.3% of the people were not reached"):
        stage.run(calls, fail_when=0.3)
    assert posts(stage.simulator) == 3


def test_a_third_of_the_people_is_a_third(stage: CampaignStage) -> None:
    with pytest.raises(TwilioCallEndedForGoodError):
        stage.run([{"to": number(1)}, {"to": BUSY}, {"to": number(2)}], fail_when=1 / 3)


def test_who_must_not_be_called_does_not_count_as_not_reached(stage: CampaignStage) -> None:
    calls = [{"to": number(1)}, {"to": number(2)}, {"to": number(1)}, {"to": number(3), "expires_after": "1"}]
    summary = stage.run(calls, do_not_call=[number(2)], fail_when=0.01)
    assert summary["outcomes"] == {"completed": 1, "do not call": 1, "duplicate": 1, "too late": 1}
    assert stage.rings == {number(1): 1}


# Pace and queue


def test_calls_are_placed_at_their_pace(stage: CampaignStage) -> None:
    stage.run(rows(21), pace=0.5)
    created = [request.received_at for request in stage.simulator.requests if request.operation == "create"]
    assert len(created) == 21
    assert created[-1] - created[0] == pytest.approx(40, abs=1.5)


def test_no_more_calls_are_in_twilios_queue_than_the_author_allows(stage: CampaignStage) -> None:
    calls = [{"to": STAYS_QUEUED}, {"to": number(1)}]
    summary = stage.run(calls, max_queued=1, queue_timeout=1000)
    assert summary["outcomes"] == {"completed": 1, "queue timeout": 1}
    first, second = [request for request in stage.simulator.requests if request.operation == "create"]
    assert second.received_at - first.received_at >= 990
    looks = [request for request in stage.simulator.requests if request.operation in ("get", "list")]
    assert len(looks) < 1000 / 2 + 20


def test_too_many_requests_hold_the_campaign_up_and_lose_nobody(stage: CampaignStage) -> None:
    stage.simulator.inject(
        on("create", kind="status", status=429, code=20429, headers={"Retry-After": "10"}, skip=1, times=2)
    )
    summary = stage.run(rows(4))
    assert summary["outcomes"] == {"completed": 4}
    assert set(stage.rings.values()) == {1}


def test_an_outage_holds_the_campaign_up_and_a_long_one_leaves_the_rest_to_a_retry(
    stage: CampaignStage,
) -> None:
    stage.simulator.inject(on("create", kind="status", status=502, code=20429, skip=1, times=3))
    assert stage.run(rows(3))["outcomes"] == {"completed": 3}


def test_what_twilio_refuses_for_one_row_is_reported_and_the_others_are_called(stage: CampaignStage) -> None:
    summary = stage.run([{"to": number(1)}, {"to": "+15005550001"}, {"to": number(2)}])
    assert summary["outcomes"] == {"completed": 2, "refused": 1}


def test_what_twilio_refuses_for_all_rows_stops_the_campaign_and_a_clear_goes_on(
    stage: CampaignStage,
) -> None:
    fault = stage.simulator.inject(on("create", kind="status", status=400, code=21210, skip=1))
    with pytest.raises(TwilioCallRefusedError, match="stopped at row 2"):
        stage.run(rows(3))
    stage.simulator.clear_faults(fault)
    assert stage.run(rows(3), max_tries=CLEARED)["outcomes"] == {"completed": 3}
    assert set(stage.rings.values()) == {1}


# Rules that exist


def test_a_busy_callee_is_called_again_after_a_while(stage: CampaignStage) -> None:
    stage.simulator.script(number(1), ["busy", {"outcome": "human"}])
    summary = stage.run(rows(3), max_dials=2, redial_after=60)
    assert summary["outcomes"] == {"completed": 3}
    assert summary["placed"] == 4
    assert stage.rings[number(1)] == 2


def test_outside_its_window_a_row_waits_and_the_task_is_deferred(stage: CampaignStage) -> None:
    from datetime import datetime, timedelta, timezone

    now = datetime.fromtimestamp(stage.clock.time(), timezone.utc)
    opens = now + timedelta(hours=2)
    window = {
        "start": f"{opens:%H:%M}",
        "end": f"{opens + timedelta(hours=3):%H:%M}",
        "timezone": "UTC",
    }
    summary = stage.run([{"to": number(1)}, {"to": number(2), "call_window": window}], deferrable=True)
    assert summary["outcomes"] == {"completed": 2}
    first, second = [call["date_created"] for call in stage.simulator.calls]
    assert len(stage.pauses) >= 1
    assert first != second
    assert set(stage.rings.values()) == {1}


def test_once_all_are_placed_the_worker_is_given_back(stage: CampaignStage) -> None:
    for index in range(3):
        stage.simulator.script(number(index), {"outcome": "human", "ring": 5, "talk": 100})
    task = stage.task(rows(3), deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(stage.context())
    assert sorted(deferred.value.trigger.call_sids) == sorted(call["sid"] for call in stage.simulator.calls)
    assert stage.run(rows(3), deferrable=True)["outcomes"] == {"completed": 3}
    assert set(stage.rings.values()) == {1}


def test_where_airflow_keeps_no_journal_the_worker_waits(stage: CampaignStage) -> None:
    stage.store = None
    assert stage.run(rows(2), deferrable=True)["outcomes"] == {"completed": 2}
    assert stage.pauses == []


# Bad input: nobody is dialled


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        ([], "calls names nobody"),
        ([{"to": number(1)}, {"to": "12"}], r"row 2: to"),
        ([{"to": number(1)}, {"to": number(2), "id": "bob", "mesage": "x"}], r"row 2 \(id bob\): .*message"),
        ([{"to": number(1), "timeout": "soon"}], "row 1: timeout"),
        ([{"to": number(1)}, "nobody"], "row 2: it is str, not a dict"),
        ([{"message": "x"}], "row 1: it has no `to`"),
        ([{"to": number(1), "delivery": "at_least_once"}], "row 1: delivery is for all calls"),
        ([{"to": number(1), "call_window": {"start": "9"}}], "row 1: .*call window"),
        ([{"to": number(1), "max_dials": "many"}], "row 1: max_dials"),
        ({"to": number(1)}, "calls is dict"),
        ("callees.xlsx", "not a path that ends with"),
        ("/nowhere/callees.csv", "cannot be read"),
    ],
)
def test_bad_input_names_the_row_and_dials_nobody(stage: CampaignStage, calls: Any, told: str) -> None:
    with pytest.raises(TwilioCallRefusedError, match=told):
        stage.run(calls)
    assert posts(stage.simulator) == 0


def test_one_bad_row_among_many_is_named(stage: CampaignStage, tmp_path: Path) -> None:
    file = tmp_path / "callees.csv"
    lines = [f"{number(index)},c{index}" for index in range(2_000)]
    lines[1_234] = "+1,broken"
    file.write_text("\n".join(["to,id", *lines]))
    with pytest.raises(TwilioCallRefusedError, match=r"row 1235 \(id broken\)"):
        stage.run(str(file))
    assert posts(stage.simulator) == 0


def test_duplicates_can_be_dialled_or_refused(stage: CampaignStage) -> None:
    calls = [{"to": number(1)}, {"to": "+1 (555) 123-0001"}]
    with pytest.raises(TwilioCallRefusedError, match="row 2 has the callee of row 1"):
        stage.run(calls, on_duplicate="fail")
    assert posts(stage.simulator) == 0
    stage.store = StateStore()
    assert stage.run(calls, on_duplicate="dial")["outcomes"] == {"completed": 2}


def test_results_that_cannot_be_written_are_refused_before_the_first_ring(
    stage: CampaignStage, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TwilioCallRefusedError, match="cannot be written"):
        stage.run(rows(1), results_path=str(tmp_path / "file" / "results.csv"))
    assert posts(stage.simulator) == 0


def test_wrong_credentials_dial_nobody(stage: CampaignStage) -> None:
    stage.simulator.inject(Fault(kind="status", status=401, code=20003))
    with pytest.raises(TwilioCallRefusedError, match="Check login"):
        stage.run(rows(2))
    assert posts(stage.simulator) == 0


def test_a_file_that_has_changed_is_refused_and_a_clear_with_restart_dials_it(
    stage: CampaignStage, tmp_path: Path
) -> None:
    file = tmp_path / "callees.jsonl"
    file.write_text(f'{{"to": "{number(1)}"}}\n{{"to": "{number(2)}"}}\n')
    stage.run(str(file))
    file.write_text(f'{{"to": "{number(1)}"}}\n{{"to": "{number(3)}"}}\n')
    with pytest.raises(TwilioCallRefusedError, match="are not those with which"):
        stage.run(str(file))
    with pytest.raises(TwilioCallRefusedError, match="are not those with which"):
        # A mere retry begins nothing anew.
        stage.run(str(file), restart=True)
    assert stage.run(str(file), restart=True, max_tries=CLEARED)["outcomes"] == {"completed": 2}
    assert stage.rings == {number(1): 2, number(2): 1, number(3): 1}


def test_without_a_journal_a_second_try_dials_nobody(stage: CampaignStage) -> None:
    stage.store = None
    with pytest.raises(TwilioCallRefusedError, match="keeps no journal"):
        stage.run(rows(2), try_number=2)
    assert posts(stage.simulator) == 0


# Crashes


def _crash_and_go_on(
    stage: CampaignStage, store: MortalStore, count: int, **arguments: Any
) -> dict[str, Any]:
    stage.store = store
    with pytest.raises(Killed):
        stage.run(rows(count), **arguments)
    stage.store = store.survivor()
    return stage.run(rows(count), **arguments)


@pytest.mark.parametrize("dies_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, 8))
def test_a_process_that_dies_at_the_journal_leaves_nobody_out_and_rings_nobody_twice(
    stage: CampaignStage, write: int, dies_after: bool
) -> None:
    store = MortalStore(dies_at=write, dies_after=dies_after)
    summary = _crash_and_go_on(stage, store, 60, pace=1, delivery="at_least_once")
    assert summary["outcomes"] == {"completed": 60}
    assert set(stage.rings.values()) == {1}
    assert len(stage.rings) == 60


@pytest.mark.parametrize("delivery", ["at_most_once", "at_least_once"])
@pytest.mark.parametrize("accepted", [True, False], ids=["placed", "not placed"])
@pytest.mark.parametrize("request_number", [0, 1, 19, 20, 34])
def test_a_process_that_dies_while_it_dials_leaves_one_row_in_doubt_at_most(
    stage: CampaignStage,
    monkeypatch: pytest.MonkeyPatch,
    request_number: int,
    accepted: bool,
    delivery: str,
) -> None:
    store = stage.store = MortalStore()
    with monkeypatch.context() as dying, pytest.raises(Killed):
        die_at_request(dying, store, request_number, accepted=accepted)
        stage.run(rows(40), delivery=delivery)
    stage.store = store.survivor()
    outcomes = stage.run(rows(40), delivery=delivery)["outcomes"]
    assert set(stage.rings.values()) == {1}
    # Whether the row after the last call that was found was sent, nobody can say; in a block of 20 the last has none.
    is_lost = delivery == "at_most_once" and not (accepted and request_number == 19)
    assert outcomes == ({"completed": 39, "unknown": 1} if is_lost else {"completed": 40})


def test_answers_that_are_lost_ring_nobody_twice(stage: CampaignStage) -> None:
    stage.simulator.inject(on("create", **LOST, skip=2, times=2))
    assert stage.run(rows(6))["outcomes"] == {"completed": 6}
    assert set(stage.rings.values()) == {1}


@pytest.mark.parametrize(
    ("delivery", "outcomes"),
    [("at_most_once", {"completed": 3, "unknown": 1}), ("at_least_once", {"completed": 4})],
)
def test_a_request_that_was_lost_is_reported_or_sent_again(
    stage: CampaignStage, delivery: str, outcomes: dict[str, int]
) -> None:
    stage.simulator.inject(on("create", kind="drop", skip=1, times=1))
    assert stage.run(rows(4), delivery=delivery)["outcomes"] == outcomes
    assert set(stage.rings.values()) == {1}


def test_a_list_that_cannot_be_read_leaves_it_to_a_retry(stage: CampaignStage) -> None:
    fault = on("create", **LOST, skip=1, times=1)
    stage.simulator.inject(fault)
    # Not the look at the beginning.
    stage.simulator.inject(on("list", kind="status", status=500, skip=1, times=None))
    with pytest.raises(TwilioCallMaybePlacedError, match="A retry looks again"):
        stage.run(rows(3), poll_interval=10_000)
    stage.simulator.clear_faults()
    assert stage.run(rows(3))["outcomes"] == {"completed": 3}
    assert set(stage.rings.values()) == {1}


def test_a_process_that_was_replaced_dials_nobody_any_more(stage: CampaignStage) -> None:
    store = StateStore()
    stage.store = store
    stage.simulator.inject(on("create", kind="delay", seconds=0))
    original = store.set

    def replaced_later(key: str, value: Any) -> None:
        if store.round_trips > 8:
            store.fault = SUPERSEDED
        original(key, value)

    store.set = replaced_later  # type: ignore[method-assign]
    with pytest.raises(TwilioCallSupersededError):
        stage.run(rows(200))
    assert posts(stage.simulator) < 200
    stage.store = StateStore(store.values)
    assert stage.run(rows(200), delivery="at_least_once")["outcomes"] == {"completed": 200}
    assert set(stage.rings.values()) == {1}


def test_the_next_process_waits_until_the_one_before_cannot_dial(
    stage: CampaignStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stage.store = MortalStore()
    with monkeypatch.context() as dying, pytest.raises(Killed):
        die_at_request(dying, store, 5, accepted=True)
        stage.run(rows(10))
    died = stage.clock.time()
    head = store.values["twilio_campaign"]
    stage.store = store.survivor()
    stage.run(rows(10))
    created = [request.received_at for request in stage.simulator.requests if request.operation == "create"]
    assert died < head["until"] <= died + 30
    assert created[6] >= head["until"]


def test_after_a_clear_it_goes_on_where_it_stopped(stage: CampaignStage) -> None:
    stage.run(rows(3))
    assert stage.run(rows(3), max_tries=CLEARED)["outcomes"] == {"completed": 3}
    assert posts(stage.simulator) == 3


def test_the_journal_has_no_phone_number(stage: CampaignStage) -> None:
    stage.run(rows(3))
    assert isinstance(stage.store, StateStore)
    kept = json.dumps(stage.store.values)
    assert not any(number(index)[1:] in kept for index in range(3))


# A task that is killed


def test_a_killed_task_cancels_what_is_queued_and_its_next_try_calls_them(
    stage: CampaignStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.simulator.script(number(1), [{"outcome": "queued"}, {"outcome": "human"}])
    task = stage.task(rows(3), max_queued=1)
    sleep = stage.clock.sleep

    def sleep_and_be_killed(seconds: float) -> None:
        sleep(seconds)
        if stage.rings[number(1)]:
            task.on_kill()

    monkeypatch.setattr("airflow_provider_twiliocall.clock.sleep", sleep_and_be_killed)
    with pytest.raises(TwilioCallInterruptedError):
        task.execute(stage.context())
    assert [call["status"] for call in stage.simulator.calls][-1] == "canceled"
    monkeypatch.setattr("airflow_provider_twiliocall.clock.sleep", sleep)
    assert stage.run(rows(3))["outcomes"] == {"completed": 3}
    assert stage.rings == {number(0): 1, number(1): 2, number(2): 1}


def test_at_parse_what_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match="pace") as refused:
        CallCampaignOperator(
            task_id="campaign",
            calls=[],
            pace=0,
            max_queued=0,
            fail_when=2,
            results_path="results",
            on_duplicate="ask",  # type: ignore[arg-type]
            poll_interval=math.inf,
            when_killed="hang_up",  # type: ignore[arg-type]
        )
    told = str(refused.value)
    names = ("max_queued", "fail_when", "results_path", "on_duplicate", "poll_interval", "when_killed")
    assert [name for name in names if name not in told] == []
    with pytest.raises(TypeError, match="whom to call goes into calls"):
        CallCampaignOperator(task_id="campaign", calls=[], to=number(1))


def test_an_outage_from_the_beginning_fails_the_task_and_a_retry_goes_on(stage: CampaignStage) -> None:
    stage.simulator.inject(Fault(kind="status", status=502, code=20500, operations=frozenset({"list"})))
    stage.simulator.inject(on("create", kind="status", status=429, code=20429))
    stage.simulator.clear_faults()
    stage.simulator.stop()
    try:
        with pytest.raises(TwilioCallNotPlacedError, match="A retry of this task goes on"):
            stage.run(rows(2))
    finally:
        stage.simulator.start()
    assert stage.run(rows(2))["outcomes"] == {"completed": 2}
