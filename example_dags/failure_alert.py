"""Forty tasks fail, and the phone rings once.

Every task has the notifier as its ``on_failure_callback``. The first task that fails places the call. The call says
which task failed and why. The other alerts find that call, and log its SID instead of ringing again. So does a second
run within five minutes of that call. Later, the phone rings again.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier

call_oncall = TwilioCallNotifier(to="+15005551002", cooldown=timedelta(minutes=5))


@task(on_failure_callback=call_oncall)
def load_table(number: int) -> None:
    """Fail as all of them do on a bad night."""
    raise ConnectionError(f"The warehouse is away, so table {number} was not loaded.")


with DAG(dag_id="failure_alert", schedule=None, tags=["twilio"], doc_md=__doc__):
    load_table.expand(number=list(range(40)))
