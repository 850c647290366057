"""As many calls as MANY_CALLS says, each a mapped task that waits in the triggerer."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

with DAG(dag_id="many_calls", schedule=None, max_active_tasks=1_000):
    CreateCallOperator.partial(
        task_id="ring",
        message="Your appointment is tomorrow.",
        wait_for_completion=True,
        deferrable=True,
        poll_interval=2,
        # A worker that is killed just before the request has rung nobody: the next try looks, and dials.
        delivery="at_least_once",
        when_killed="hang_up",
        retries=5,
        retry_delay=timedelta(seconds=1),
    ).expand(to=[f"+1500557{number:04}" for number in range(int(os.environ["MANY_CALLS"]))])
