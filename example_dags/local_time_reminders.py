"""Remind people between 8:00 and 20:00 by their own clock, dial again if nobody answers, and skip who opted out.

Tokyo and São Paulo are twelve hours apart, so every run rings one of Ann and Bob and skips the other. Chie may be rung
at any hour: nobody answers the first call, and the task dials again. Dan is on the do-not-call list.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

HOURS = {"start": "08:00", "end": "20:00"}
BY_DAY = {"start": "{{ params.start }}", "end": "{{ params.end }}"}
AT_ANY_HOUR = {"start": "00:00", "end": "24:00"}
CALLEES = [
    {"to": "+15005553001", "name": "Ann", "call_window": {**BY_DAY, "timezone": "Asia/Tokyo"}},
    {"to": "+15005553002", "name": "Bob", "call_window": {**BY_DAY, "timezone": "America/Sao_Paulo"}},
    {"to": "+15005551107", "name": "Chie", "call_window": {**AT_ANY_HOUR, "timezone": "Asia/Tokyo"}},
    {"to": "+15005553004", "name": "Dan", "call_window": {**AT_ANY_HOUR, "timezone": "Europe/Paris"}},
]

with DAG(
    dag_id="local_time_reminders",
    schedule=None,
    params=HOURS,
    tags=["twilio"],
    doc_md=__doc__,
):
    CreateCallOperator.partial(
        task_id="remind",
        wait_for_completion=True,
        on_outside_window="skip",
        expires_after=timedelta(hours=4),
        do_not_call=["+1 (500) 555-3004"],
        max_dials=2,
        redial_after=timedelta(seconds=10),
    ).expand_kwargs(
        [
            {
                "to": callee["to"],
                "message": f"Hello {callee['name']}, your appointment is tomorrow at ten.",
                "call_window": callee["call_window"],
            }
            for callee in CALLEES
        ]
    )
