"""A run takes too long, and the phone rings. Nothing has failed.

The deadline passes while the only task works. The run goes on and succeeds. This needs a running triggerer.
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
        # Short, so that you see it happen. For a real report, give an hour or two.
        interval=timedelta(seconds=3),
        callback=AsyncCallback(
            TwilioCallNotifier,
            # Without a cooldown every run rings, however soon it follows the last one.
            kwargs={"to": "+15005551003", "message": "{{ dag_run.dag_id }} is late.", "cooldown": None},
        ),
    ),
):
    write_the_report()
