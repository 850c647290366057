"""Dial a busy line again with Airflow's own retries.

The first call finds the line busy and fails the task. The retry dials again, and somebody answers. ``retries`` is how
often to dial again. ``retry_delay`` is how long to wait before.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

with DAG(dag_id="redial_busy_line", schedule=None, tags=["twilio"], doc_md=__doc__):
    CreateCallOperator(
        task_id="ring",
        to="+15005551106",
        message="The nightly load of {{ dag.dag_id }} is late.",
        wait_for_completion=True,
        poll_interval=1,
        retries=2,
        # Short, so that you see it happen. For real calls, give minutes.
        retry_delay=timedelta(seconds=5),
    )
