"""A reminder waits for the callee's morning in the triggerer, and rings when it has come."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from tests.e2e.airflow_processes import Run

TOKYO = ZoneInfo("Asia/Tokyo")


def test_a_task_waits_for_its_window_and_rings_when_it_opens(runs: dict[str, Run]) -> None:
    run = runs["waits_for_its_window"]

    created = datetime.fromisoformat(run.xcom("remind", "call")["date_created"]).astimezone(TOKYO)
    opened = datetime.combine(created, time.fromisoformat(run.conf["start"]), tzinfo=TOKYO)
    assert run.state == "success"
    assert "the call window opens then" in run.log("remind")
    # By the clock on the wall, which may show the next day by now.
    assert (created - opened) % timedelta(days=1) < timedelta(minutes=30)
