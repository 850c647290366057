"""Sixty DAGs of one file that fail together, each with a callback that rings a number of its own."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier


@task(pool="there_is_no_such_pool")
def never_begin() -> None:
    """Wait in vain, so that the run is out of time without any worker."""


for number in range(60):
    with DAG(
        dag_id=f"alerts_in_a_row_{number:02}",
        schedule=None,
        dagrun_timeout=timedelta(seconds=1),
        on_failure_callback=TwilioCallNotifier(to=f"+150055563{number:02}"),
    ):
        never_begin()
