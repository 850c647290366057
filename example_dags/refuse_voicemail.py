"""A voicemail is not somebody: fail the task when a machine answers, and do something else instead.

``accept_answered_by`` turns on answering machine detection, and the message is left after the beep. A call
that only a machine answered fails its task. ``write_instead`` runs just then, and the run as a whole succeeds.
Give ``remind`` some ``retries`` to have it dial again first.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator


@task(trigger_rule="all_failed")
def write_instead(ti: Any = None) -> str:
    """Reach the callee another way; a real DAG would send mail."""
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
