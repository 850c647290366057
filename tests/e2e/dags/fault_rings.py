"""One task that rings whom the run's conf says, in every way of waiting and of being killed."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

from airflow.sdk import DAG

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

RING: dict[str, Any] = {
    "to": "{{ dag_run.conf['to'] }}",
    "twilio_conn_id": "{{ dag_run.conf.get('connection', 'twilio_default') }}",
    "message": "hello",
    "wait_for_completion": True,
    "poll_interval": 1,
    # A row may take longer than a phone rings, and than a short message's own limit.
    "timeout": 600,
    "time_limit": 14_400,
    "retries": 2,
    "retry_delay": timedelta(seconds=1),
}

for mode, when_killed in product(("sync", "deferred"), ("cancel", "hang_up", "leave")):
    how: dict[str, Any] = {"deferrable": mode == "deferred", "when_killed": when_killed, **RING}
    with DAG(dag_id=f"ring_{mode}_{when_killed}", schedule=None):
        CreateCallOperator(task_id="ring", **how)
    with DAG(dag_id=f"ring_{mode}_{when_killed}_in_time", schedule=None):
        CreateCallOperator(task_id="ring", execution_timeout=timedelta(seconds=20), **how)

with DAG(dag_id="ring_at_least_once", schedule=None):
    CreateCallOperator(task_id="ring", delivery="at_least_once", **RING)

with DAG(dag_id="ring_nobody_later", schedule=None):
    CreateCallOperator(
        task_id="ring", **{**RING, "to": "{{ dag_run.conf['to'] if ti.try_number == 1 else 'nobody' }}"}
    )

with DAG(dag_id="ring_twice", schedule=None):
    CreateCallOperator(task_id="ring", **RING)
    CreateCallOperator(task_id="ring_too", **RING)

with DAG(dag_id="ring_mapped", schedule=None):
    # Whom an index means is asked again at every try.
    CreateCallOperator.partial(
        task_id="ring", **{**RING, "to": "{{ var.json.people[ti.map_index] }}"}
    ).expand(call_reason=["first"])
