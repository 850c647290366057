"""What type checkers know of operators and notifier: ``make types`` checks it, nothing runs it."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import assert_type

from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier
from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

NUMBER = "+15551234567"

for taker in (
    CreateCallOperator(to=NUMBER, message="hi", timeout=30),
    EscalateCallOperator(contacts=[NUMBER], message="hi", task_id="wake"),
    TwilioCallNotifier(to=NUMBER, message="hi", status_callback_event=["completed"]),
):
    assert_type(taker.message, str | None)
    assert_type(taker.repeat, int | str | None)
    assert_type(taker.status_callback_event, Sequence[str] | str | None)
