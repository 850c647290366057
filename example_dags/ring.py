"""Place a call. The task is done as soon as Twilio has taken the call."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

with DAG(dag_id="ring", schedule=None, tags=["twilio"], doc_md=__doc__):
    CreateCallOperator(task_id="ring", to="+15005551000", message="hello from {{ dag.dag_id }}")
