"""Place a call, wait until it is over, and use the result.

The task is deferred while it waits, so it holds no worker slot and needs a running triggerer. It returns the call's
SID. The XCom ``call`` is the call as a dict.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, XComArg, task

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator


@task
def note_the_call(call: dict[str, Any]) -> str:
    """Print how the call went. A real DAG would write it to a table."""
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
