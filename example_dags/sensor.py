"""Place a call, do something else while it rings, then wait for its end with a sensor.

The sensor takes the call's SID from the first task. It is deferred while it waits, so it needs a running triggerer.
Killing the sensor leaves the call alone.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.sensors.twilio_call import TwilioCallSensor


@task
def prepare_the_report() -> str:
    """Stand for the work that is done meanwhile."""
    return "42 rows"


with DAG(dag_id="sensor", schedule=None, tags=["twilio"], doc_md=__doc__):
    ring = CreateCallOperator(
        task_id="ring",
        to="+15005551000",
        message="The report of {{ dag.dag_id }} is on its way.",
    )
    call_is_over = TwilioCallSensor(
        task_id="call_is_over",
        call_sid="{{ ti.xcom_pull(task_ids='ring') }}",
        deferrable=True,
        timeout=600,
    )
    ring >> prepare_the_report() >> call_is_over
