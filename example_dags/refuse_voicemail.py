"""Fail the task when a voicemail answers, and reach the callee another way.

``accept_answered_by`` turns on answering machine detection. The voicemail gets the message after its beep, and the task
``remind`` fails. Then ``write_instead`` runs, and the run succeeds. To dial again first, give ``remind`` ``retries``.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator


@task(trigger_rule="all_failed")
def write_instead(ti: Any = None) -> str:
    """Print a letter. A real DAG would send it."""
    call = ti.xcom_pull(task_ids="remind", key="call") or {}
    letter = f"Nobody heard us on {call.get('to')}: answered by {call.get('answered_by')}"
    print(letter)
    return letter


with DAG(dag_id="refuse_voicemail", schedule=None, tags=["twilio"], doc_md=__doc__):
    remind = CreateCallOperator(
        task_id="remind",
        to="+15005551200",
        message="Please approve run {{ run_id }}.",
        wait_for_completion=True,
        accept_answered_by={"human", "unknown"},
        poll_interval=1,
    )
    remind >> write_instead()
