"""A call when a run takes too long, though nothing has failed: a deadline alert, which runs in the triggerer.

The deadline passes while the only task is at work. The run goes on, and succeeds: it was late, and somebody knows.
"""

from __future__ import annotations

import time
from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference

from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier


@task
def write_the_report() -> None:
    """Take too long."""
    time.sleep(5)


with DAG(
    dag_id="deadline_alert",
    schedule=None,
    tags=["twilio"],
    doc_md=__doc__,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        # Short, so that you see it happen. An hour or two serves better where the report is a real one.
        interval=timedelta(seconds=3),
        callback=AsyncCallback(
            TwilioCallNotifier,
            kwargs={"to": "+15005551003", "message": "{{ dag_run.dag_id }} is late."},
        ),
    ),
):
    write_the_report()
