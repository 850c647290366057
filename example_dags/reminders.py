"""Call each number of a list: one mapped task for each.

The numbers may also come from another task.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, XComArg, task

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

NUMBERS = ["+15005551000", "+15005551001", "+15005554002"]


@task
def count_the_reached(calls: Any) -> int:
    """Count the calls that were answered."""
    return sum(call["status"] == "completed" for call in calls)


with DAG(dag_id="reminders", schedule=None, tags=["twilio"], doc_md=__doc__):
    remind = CreateCallOperator.partial(
        task_id="remind",
        message="Your appointment is tomorrow.",
        wait_for_completion=True,
    ).expand(to=NUMBERS)
    count_the_reached(XComArg(remind, key="call"))
