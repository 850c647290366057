"""What a campaign says of itself while it goes on, at its end, and before it begins."""

from __future__ import annotations

import logging
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_twiliocall import compat
from airflow_provider_twiliocall.callees.do_not_call import DoNotCallList
from airflow_provider_twiliocall.exceptions import TwilioCallNotPlacedError, TwilioCallRefusedError
from airflow_provider_twiliocall.operators.call_campaign import CallCampaignOperator
from tests.integration.campaign_stage import CLEARED, CampaignStage, number, rows
from tests.integration.ring_task import BUSY, posts
from tests.support.task_context import StateStore

pytestmark = pytest.mark.usefixtures("connection", "real_pace")


def told(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if words in record.getMessage()]


def test_the_last_line_says_what_has_come_of_it(
    stage: CampaignStage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stage.run([*rows(3), {"to": BUSY}])
    [line] = told(caplog, "The campaign is over")
    assert line.startswith("The campaign is over: 3 of 4 rows reached (3 completed, 1 busy). 4 calls in ")
    assert "a second; cost " in line


def test_an_outage_is_one_plain_line_for_each_try(
    stage: CampaignStage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stage.simulator.stop()
    try:
        with pytest.raises(TwilioCallNotPlacedError):
            stage.run(rows(2))
    finally:
        stage.simulator.start()
    assert "Retry(" not in caplog.text
    assert [record.name for record in caplog.records if record.name.startswith("urllib3")] == []
    assert len(told(caplog, "Twilio takes no calls for now, next try in")) == 6
    # Nobody knows how long it takes.
    assert told(caplog, "left to dial") == []
    assert told(caplog, "2 rows waiting; 0.00 calls a second.")


def test_ids_that_several_rows_have_are_warned_of_once_and_all_are_called(
    stage: CampaignStage, caplog: pytest.LogCaptureFixture
) -> None:
    calls = [{"to": number(index), "id": "same"} for index in range(2)] + [{"to": number(2), "id": "own"}]
    assert stage.run(calls)["outcomes"] == {"completed": 3}
    stage.run(calls, max_tries=CLEARED)
    [line] = told(caplog, "the same id")
    assert line.startswith("Several rows have the same id: same. ")


def test_results_of_another_run_are_not_written_over(stage: CampaignStage, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    stage.run(rows(2), results_path=str(path))
    before = (tmp_path / "results-00000.csv").read_text()
    own = stage.store
    stage.store = StateStore()
    with pytest.raises(TwilioCallRefusedError, match=r"exists already.*\{\{ run_id \}\}"):
        stage.run(rows(2), results_path=str(path))
    assert posts(stage.simulator) == 2
    assert (tmp_path / "results-00000.csv").read_text() == before
    stage.store = own
    stage.run(rows(2), results_path=str(path), max_tries=CLEARED)
    assert (tmp_path / "results-00000.csv").read_text() == before
    stage.run(rows(2), results_path=str(path), max_tries=CLEARED + 1, restart=True)
    assert (tmp_path / "results-00000.csv").read_text() != before


def test_a_refused_row_stays_refused_after_a_clear(stage: CampaignStage) -> None:
    calls = [{"to": number(1)}, {"to": "+15005550001"}]
    stage.run(calls)
    asked = len([request for request in stage.simulator.requests if request.operation == "create"])
    assert stage.run(calls, max_tries=CLEARED)["outcomes"] == {"completed": 1, "refused": 1}
    assert (
        len([request for request in stage.simulator.requests if request.operation == "create"]) == asked == 2
    )


def test_rows_that_wait_for_their_call_window_cost_no_writes(stage: CampaignStage) -> None:
    opens = datetime.fromtimestamp(stage.clock.time(), timezone.utc) + timedelta(hours=2)
    window = {
        "start": f"{opens:%H:%M}",
        "end": f"{opens + timedelta(hours=3):%H:%M}",
        "timezone": "UTC",
    }
    store = stage.store
    assert store is not None
    writes: list[str] = []
    written = store.set

    def write(key: str, value: Any) -> None:
        if not stage.pauses:
            writes.append(key)
        written(key, value)

    store.set = write  # type: ignore[method-assign]
    waiting = [{"to": number(index), "call_window": window} for index in range(1, 201)]
    summary = stage.run([{"to": number(0)}, *waiting], deferrable=True, pace=5)
    assert summary["outcomes"] == {"completed": 201}
    assert len(writes) <= 5


def test_a_do_not_call_list_is_parsed_once_by_a_process(
    stage: CampaignStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[Any] = []
    from_value = DoNotCallList.from_value

    def count(value: Any, **options: Any) -> DoNotCallList:
        parsed.append(value)
        return from_value(value, **options)

    monkeypatch.setattr(DoNotCallList, "from_value", count)
    summary = stage.run(rows(60), do_not_call=[number(7)])
    assert summary["outcomes"] == {"completed": 59, "do not call": 1}
    assert len(parsed) == 1


def test_at_parse_an_airflow_without_journals_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "keeps_task_state", lambda: False)
    with pytest.warns(UserWarning, match=r"campaign: this Airflow keeps no journal.*retries=0"):
        CallCampaignOperator(task_id="campaign", calls=[], message="hello")
    monkeypatch.setattr(compat, "keeps_task_state", lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CallCampaignOperator(task_id="campaign", calls=[], message="hello")
