"""Ring one contact after the other until a person is reached.

The load fails, so ``wake_somebody`` runs (``trigger_rule="one_failed"``). The first phone is busy. A voicemail answers
the second. A person answers the third. The task is deferred while a phone rings, so this needs a running triggerer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_twiliocall.callees import Contact
from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator


@task
def load() -> None:
    """Fail."""
    raise ConnectionError("The warehouse is away.")


@task
def hand_over(reached: Any) -> str:
    """Print who was reached. A real DAG would open a ticket."""
    handed_over = f"Reached {reached['who']} at {reached['when']}, with call number {reached['calls']}"
    print(handed_over)
    return handed_over


with DAG(dag_id="escalation", schedule=None, tags=["twilio"], doc_md=__doc__):
    wake_somebody = EscalateCallOperator(
        task_id="wake_somebody",
        trigger_rule="one_failed",
        contacts=[
            Contact("first on call", "+15005551100"),
            Contact("second on call", "+15005551201"),
            Contact("head of data", "+15005554001"),
        ],
        message="The nightly load of {{ dag.dag_id }} has failed. Please look at it.",
        timeout=30,
        rounds=2,
        round_after=timedelta(minutes=1),
        poll_interval=1,
    )
    load() >> wake_somebody
    hand_over(wake_somebody.output)
