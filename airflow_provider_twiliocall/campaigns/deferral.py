"""Handing the worker back while a campaign has nothing to dial."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

import pendulum

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.triggers.call_campaign import CallCampaignTrigger

if TYPE_CHECKING:
    from airflow_provider_twiliocall.campaigns.campaign_task import CampaignTask
    from airflow_provider_twiliocall.campaigns.going_on import CallsGoingOn

logger = logging.getLogger(__name__)

# Airflow's timeout is for a triggerer that is gone, not for a slow call.
_SLACK_S = 120.0


def defer_campaign(
    task: CampaignTask, going_on: CallsGoingOn, *, until: float, given_up: Sequence[str]
) -> NoReturn:
    """Defer until all calls that are going on are over, or something is to be dialled; ``execute_complete`` goes on.

    :param until: Unix time at which something is to be dialled; infinite for never
    :param given_up: calls whose end nobody will see, which the trigger hands on
    """
    watches = [call.watch for call in going_on]
    deadline = max((watch.deadline or 0.0 for watch in watches), default=0.0)
    wakes = until if math.isfinite(until) else deadline
    logger.info(
        "%d calls are going on, and nobody is dialled %s: the task gives its worker back.",
        len(watches),
        f"before {pendulum.from_timestamp(until).to_datetime_string()} UTC"
        if math.isfinite(until)
        else "any more",
    )
    task.defer(
        trigger=CallCampaignTrigger(
            task.twilio_conn_id,
            [watch.call_sid for watch in watches],
            until=until if math.isfinite(until) else None,
            deadline=deadline or None,
            poll_interval=task.poll_interval,
            queue_deadlines={
                watch.call_sid: watch.queue_deadline.to_json()
                for watch in watches
                if watch.queue_deadline and watch.may_be_queued
            },
            when_killed=task.when_killed,
            given_up=given_up,
            not_found_since={
                watch.call_sid: watch.unknown_since for watch in watches if watch.unknown_since is not None
            },
            account_sid=task.hook.account_sid,
        ),
        method_name="execute_complete",
        timeout=timedelta(seconds=max(0.0, wakes - clock.time()) + _SLACK_S),
    )
