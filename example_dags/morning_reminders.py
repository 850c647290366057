"""Morning reminders in three time zones: by the callee's own clock, once more if nobody picks up, and never unasked."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

CALLEES = [
    {"to": "+15005551107", "name": "Ann", "timezone": "Europe/Paris"},
    {"to": "+15005553002", "name": "Bob", "timezone": "America/New_York"},
    {"to": "+15005553003", "name": "Chie", "timezone": "Asia/Tokyo"},
    {"to": "+15005553004", "name": "Dan", "timezone": "Europe/Paris"},
]
HOURS = {"start": "{{ params.start }}", "end": "{{ params.end }}"}

with DAG(
    dag_id="morning_reminders",
    schedule=None,
    params={"start": "08:00", "end": "12:00"},
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
                "message": f"Good morning {callee['name']}, your appointment is at ten.",
                "call_window": {**HOURS, "timezone": callee["timezone"]},
            }
            for callee in CALLEES
        ]
    )
