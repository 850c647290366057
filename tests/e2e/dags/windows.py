"""A reminder whose window opens while its task waits for it, and one whose window closes on a call in the queue."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

with DAG("waits_for_its_window", schedule=None, params={"start": "00:00", "end": "23:59"}):
    CreateCallOperator(
        task_id="remind",
        to="+15005552401",
        message="Good morning.",
        wait_for_completion=True,
        call_window={"start": "{{ params.start }}", "end": "{{ params.end }}", "timezone": "Asia/Tokyo"},
    )

with DAG("closes_while_queued", schedule=None, params={"start": "00:00", "end": "23:59"}):
    CreateCallOperator(
        task_id="remind",
        to="+15005552402",
        message="Good evening.",
        deferrable=True,
        call_window={"start": "{{ params.start }}", "end": "{{ params.end }}", "timezone": "Asia/Tokyo"},
        on_outside_window="skip",
    )
