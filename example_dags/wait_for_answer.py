"""Place a call, wait until it is over, and use what is known about it.

The wait is deferred: it holds no worker slot, however long the call takes. The task's return value is the
call's SID; the XCom ``call`` is the call itself, as a dict.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, XComArg, task

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator


@task
def note_the_call(call: dict[str, Any]) -> str:
    """Say how the call went; a real DAG would write it to a table."""
    note = f"{call['sid']}: {call['status']} after {call['duration']} s"
    print(note)
    return note


with DAG(dag_id="wait_for_answer", schedule=None, tags=["twilio"], doc_md=__doc__):
    ring = CreateCallOperator(
        task_id="ring",
        to="+15005551000",
        message="Run {{ run_id }} of {{ dag.dag_id }} needs you.",
        wait_for_completion=True,
        deferrable=True,
    )
    note_the_call(XComArg(ring, key="call"))
