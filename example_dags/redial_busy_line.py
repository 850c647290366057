"""Redial with what Airflow has for it: a busy line fails the task, and a retry of the task dials again.

The number is busy the first time and answered the second. Airflow's ``retries`` says how often to dial again,
``retry_delay`` how long to wait before. A number that cannot be dialled at all is not retried.
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
        # Short, so that you see it happen. Minutes serve better where somebody is really on the phone.
        retry_delay=timedelta(seconds=5),
    )
