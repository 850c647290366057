"""Reminders by the callee's clock: what waits for the morning, and what is not to ring in the night."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

from airflow_provider_twiliocall.simulator import TwilioSimulator
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


def test_a_call_still_in_twilios_queue_at_the_closing_is_canceled_while_queued_by_the_triggerer(
    runs: dict[str, Run], simulator: TwilioSimulator
) -> None:
    run = runs["closes_while_queued"]

    (call,) = [call for call in simulator.calls if call["to"] == "+15005552402"]
    canceled = parsedate_to_datetime(call["end_time"]).astimezone(TOKYO)
    closed = datetime.combine(canceled, time.fromisoformat(run.conf["end"]), tzinfo=TOKYO)
    assert call["status"] == "canceled"
    assert (canceled - closed) % timedelta(days=1) < timedelta(minutes=2)
    assert run.task_state("remind") == "skipped"
    # What the triggerer logs comes before the worker's second part.
    assert re.search(
        r"is canceled(?s:.)*was still in Twilio's queue(?s:.)*outside the call window", run.log("remind")
    )
