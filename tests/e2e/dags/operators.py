"""The operator, waiting on a worker and waiting deferred: the same calls, each task to a number of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

# Airflow is told when the call is over, and looks once a minute: a task that ends before that was woken.
with DAG(dag_id="called_back", schedule=None):
    CreateCallOperator(
        task_id="ring",
        to="+15005552501",
        message="hello",
        twilio_conn_id="twilio_called_back",
        wait_for_completion=True,
        deferrable=True,
        poll_interval=1,
    )
    for waits, line in (("on_a_worker", "+15005552502"), ("deferred", "+15005552503")):
        CreateCallOperator(
            task_id=f"ask_{waits}",
            to=line,
            message="Your appointment is tomorrow at ten.",
            options={"1": "confirm", "2": "call me later"},
            twilio_conn_id="twilio_called_back",
            wait_for_completion=True,
            deferrable=waits == "deferred",
            poll_interval=1,
        )

for mode, exchange in (("sync", "+150055520"), ("deferred", "+150055521")):
    again: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(seconds=1)}
    common: dict[str, Any] = {
        "message": "hello",
        "wait_for_completion": True,
        "deferrable": mode == "deferred",
        "poll_interval": 1,
        **again,
    }
    with DAG(dag_id=f"operator_{mode}", schedule=None):
        CreateCallOperator(task_id="answered", to=f"{exchange}01", **common)
        CreateCallOperator(task_id="busy_then_answered", to=f"{exchange}02", **common)
        CreateCallOperator(task_id="busy", to=f"{exchange}03", **common)
        CreateCallOperator(task_id="voicemail", to=f"{exchange}04", accept_answered_by={"human"}, **common)
        CreateCallOperator(task_id="country_not_permitted", to=f"{exchange}05", **common)
        CreateCallOperator(task_id="canceled_elsewhere", to=f"{exchange}06", **common)
        CreateCallOperator(
            task_id="wrong_credentials", to=f"{exchange}07", twilio_conn_id="twilio_wrong", **common
        )
        CreateCallOperator(task_id="bad_number", to=f"{exchange[1:]}08", **common)
