"""The notifier wherever Airflow calls it: by tasks, by DAGs and by missed deadlines, each to a number of its own."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference, SyncCallback, task

from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier

EXCHANGE = "+150055523"


@task
def succeed() -> None:
    """Have nothing to do."""


@task
def fail() -> None:
    """Give a reason, and more of it than anybody wants to hear."""
    raise ValueError("no rows\nin all of the tables")


with DAG(dag_id="notifier_of_tasks", schedule=None):
    succeed.override(on_success_callback=TwilioCallNotifier(to=f"{EXCHANGE}01"))()
    fail.override(
        retries=1,
        retry_delay=timedelta(seconds=1),
        on_retry_callback=TwilioCallNotifier(to=f"{EXCHANGE}02"),
        on_failure_callback=TwilioCallNotifier(to=f"{EXCHANGE}03"),
    )()

with DAG(
    dag_id="notifier_of_a_dag", schedule=None, on_failure_callback=TwilioCallNotifier(to=f"{EXCHANGE}04")
):
    fail()

with DAG(
    dag_id="notifier_of_a_dag_that_succeeds",
    schedule=None,
    on_success_callback=TwilioCallNotifier(to=f"{EXCHANGE}05", message="{{ dag.dag_id }} is done."),
):
    EmptyOperator(task_id="succeed")

# The phone is rung for one of two deadlines.
COOLDOWN = timedelta(hours=1, minutes=2)


def missed_deadlines(callback: AsyncCallback | SyncCallback) -> list[DeadlineAlert]:
    """Whatever a run does, it does not end as soon as it is queued."""
    return [
        DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=interval, callback=callback)
        for interval in (timedelta(0), timedelta(milliseconds=1))
    ]


# The numbers are not in the kwargs, which lie in the database as plain text. The connection is in the database, where
# the triggerer may read it and a callback on the executor may not: its Variable is in the environment.
in_the_triggerer = AsyncCallback(
    TwilioCallNotifier,
    kwargs={"to": "{{ conn.late_in_the_triggerer.extra_dejson.to }}", "cooldown": COOLDOWN},
)
on_the_executor = SyncCallback(
    TwilioCallNotifier,
    kwargs={"to": "{{ var.value.late_on_the_executor }}", "cooldown": COOLDOWN},
)

with DAG(
    dag_id="notifier_in_the_triggerer",
    schedule=None,
    deadline=missed_deadlines(in_the_triggerer),
):
    EmptyOperator(task_id="be_late")

with DAG(
    dag_id="notifier_on_the_executor",
    schedule=None,
    deadline=missed_deadlines(on_the_executor),
):
    EmptyOperator(task_id="be_late")
