"""Handing the worker back while a phone rings, or until the next call is due."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import pendulum

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.arguments.templated import given
from airflow_provider_twiliocall.triggers.twilio_call import SHORTEST_DEFERRAL_S, TwilioCallTrigger

if TYPE_CHECKING:
    from airflow_provider_twiliocall.calls.watch import CallWatch
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.operators.call_task import CallTask

# Added to the trigger's own deadline: Airflow's timeout is for a triggerer that is gone, not for a slow call.
DEFERRAL_SLACK_S = 120.0


def defer_until_over(
    task: CallTask,
    watch: CallWatch,
    journal: CallJournal,
    *,
    account_sid: str | None,
    poll_interval: float,
) -> NoReturn:
    """Defer until the call is over, or has left Twilio's queue; ``execute_complete`` goes on then.

    :param account_sid: whose call it is, where it is not the connection's
    :param poll_interval: seconds between two looks at it
    """
    ends = min(moment for moment in (watch.deadline, watch.timeout_at) if moment)
    carried = {
        "journal": journal.to_carry(),
        "account_sid": None if account_sid == given(task.account_sid) else account_sid,
    }
    task.defer(
        trigger=TwilioCallTrigger(
            task.twilio_conn_id,
            watch.call_sid,
            poll_interval=poll_interval,
            deadline=watch.deadline,
            when_killed=task.when_killed,
            queue_deadline=watch.queue_deadline.to_json() if watch.queue_deadline else None,
            timeout_at=watch.timeout_at,
            awaits=watch.awaits,
            account_sid=account_sid,
        ),
        method_name="execute_complete",
        kwargs={name: value for name, value in carried.items() if value} or None,
        timeout=timedelta(seconds=max(0.0, ends - clock.time()) + DEFERRAL_SLACK_S),
    )


def pause_until(task: CallTask, until: float, journal: CallJournal, why: str, *, step: int) -> NoReturn:
    """Defer to a moment, a Unix time; ``execute_next_call`` dials then.

    :param why: for people
    :param step: the number of the step that is due then
    """
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

    journal.flush()
    moment = pendulum.from_timestamp(max(until, clock.time() + SHORTEST_DEFERRAL_S))
    task.log.info("Dialling at %s: %s.", moment.to_datetime_string() + " UTC", why)
    kwargs: dict[str, Any] = {"due_step": step}
    if carried := journal.to_carry():
        kwargs["journal"] = carried
    # Should no triggerer be there, a retry of the deferral knows from the journal that it has paused; without one it
    # could not tell, and had better wait.
    is_limited = journal.is_kept
    timeout = timedelta(seconds=moment.timestamp() - clock.time() + DEFERRAL_SLACK_S) if is_limited else None
    task.defer(
        trigger=DateTimeTrigger(moment), method_name="execute_next_call", kwargs=kwargs, timeout=timeout
    )
