"""CallCampaignOperator: up to 100,000 calls in one task, at a pace, each placed once.

Longer than 300 lines because its own arguments are spelled out: for readers, editors, Airflow and the checks at parse.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_twiliocall.arguments import checks, literals
from airflow_provider_twiliocall.arguments.call_arguments import (
    CALL_ARGUMENTS,
    CallArguments,
    CallAttributes,
    take_call_arguments,
)
from airflow_provider_twiliocall.arguments.templated import RendersText, given
from airflow_provider_twiliocall.operators.call_task import DEFAULT_QUEUE_TIMEOUT_S
from airflow_provider_twiliocall.operators.twilio_call import (
    DEFAULT_DEFERRABLE,
    DEFAULT_REDIAL_AFTER,
    DEFAULT_REDIAL_ON,
    check_call_window,
)

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.callees.call_window import CallWindow
    from airflow_provider_twiliocall.campaigns.campaign_run import CampaignRun
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

# What CreateCallOperator has, and what there is here.
_INSTEAD = {
    "to": "whom to call goes into calls, a list of dicts or the path of a file",
    "wait_for_completion": "a campaign always waits for its calls, so leave it out",
}

SUMMARY = "summary"
"""XCom: the same as ``return_value``, also where the task fails by ``fail_when``."""


class CampaignArguments(CallArguments, total=False):
    """What can be given besides the calls: for editors and type checkers."""

    pace: float
    max_queued: int
    results_path: str | None
    fail_when: float | None
    restart: bool
    on_duplicate: Literal["skip", "dial", "fail"]
    twilio_conn_id: str
    deferrable: bool | None
    poll_interval: float | timedelta
    accept_answered_by: Collection[str] | str | None
    queue_timeout: float | timedelta | None
    call_window: CallWindow | dict[str, Any] | str | None
    on_outside_window: Literal["wait", "skip"]
    expires_after: float | timedelta | None
    do_not_call: Collection[str] | str | None
    max_dials: int
    redial_after: float | timedelta
    redial_on: Collection[str] | str
    delivery: Delivery
    when_killed: Literal["cancel", "leave"]


class CallCampaignOperator(RendersText, BaseOperator, CallAttributes):
    """Place many calls in one task, at a pace, and wait for all of them.

    All rows are checked before the first one is dialled. Then the worker places one call after the other. With
    ``deferrable`` it gives its slot back in pauses of 30 seconds or more, and once all calls are placed.

    Needs Airflow 3.3 or later to go on after a crash: a retry then dials the rows that are left, and nobody twice.
    Older Airflows keep no journal: there a second try fails for good before it dials, and the task waits on the worker.

    XCom: ``return_value`` and ``summary`` are a dict: ``rows``, ``placed``, ``reached``, ``share_unreached`` (0 to 1),
    ``outcomes`` (rows by what became of them), ``cost`` by currency as far as Twilio tells it, ``began`` and ``ended``
    (ISO 8601), and the paths of the ``results``.

    :param calls: whom to call: a list of dicts, or the path of a file that ends with ``.csv``, ``.jsonl`` or
        ``.ndjson``, also in object storage. Keys and columns are arguments of a call, such as ``to`` and ``message``,
        and an optional ``id``; what a row does not say, the arguments for all calls say. At most 100,000 rows
    :param pace: calls a second; default 1, which is what Twilio starts unless you ask for more
    :param max_queued: how many calls of this campaign may be in Twilio's queue, so that an alert of the same account is
        not held up; default 2
    :param results_path: where to write what became of each row: a path or URL that ends with ``.csv`` or ``.jsonl``.
        ``results.csv`` becomes ``results-00000.csv`` and so on, each with 1,000 rows. Default: nowhere
    :param fail_when: from which part of the people on, 0 to 1, who were not reached, the task fails. Who is on the
        do-not-call list, is a duplicate, or was too late to be called does not count. Default: it does not fail
    :param restart: whether to dial all rows again after a person has cleared the task; default: it goes on
    :param on_duplicate: what to do with a row whose callee an earlier row has: ``"skip"``, the default, ``"dial"``, or
        ``"fail"`` before anybody is dialled
    :param twilio_conn_id: the connection, of type ``twilio``; default ``twilio_default``
    :param deferrable: whether to wait in the triggerer where there is nothing to dial; default:
        ``[operators] default_deferrable``
    :param poll_interval: seconds, or a timedelta, between two looks at the calls; default 5
    :param accept_answered_by: who may have answered for a callee to count as reached, as for
        :class:`.CreateCallOperator`
    :param queue_timeout: seconds, or a timedelta, that a call may stay in Twilio's queue; default one hour
    :param call_window: when a phone may ring, a :class:`.CallWindow` or its arguments as a dict. With
        ``timezone="callee"`` each row has its own hours
    :param on_outside_window: ``"wait"``, the default, dials the row when its window opens; ``"skip"`` leaves it out
    :param expires_after: seconds, or a timedelta, after the DAG run's ``run_after``; later than that nobody is called
    :param do_not_call: numbers that are not called, or the name of an Airflow Variable that holds them; it is read
        again while the campaign goes on
    :param max_dials: how often one callee is called until reached; default 1
    :param redial_after: seconds, or a timedelta, between the end of a call and the next one to the same callee; default
        2 minutes
    :param redial_on: after which endings a callee is called again, of ``busy``, ``no-answer``, ``failed`` and
        ``voicemail``. Default: ``busy`` and ``no-answer``
    :param delivery: what to do where nobody can say whether a call was placed: ``"at_most_once"`` (default) reports the
        row as ``unknown``, ``"at_least_once"`` dials it again
    :param when_killed: ``"cancel"`` (default) cancels what is still in Twilio's queue when the task is killed,
        ``"leave"`` leaves it alone. Calls that ring already go on
    """

    template_fields: Sequence[str] = (
        "calls",
        *CALL_ARGUMENTS,
        "results_path",
        "accept_answered_by",
        "call_window",
        "do_not_call",
        "twilio_conn_id",
    )
    template_fields_renderers = {"twiml": "xml"}  # noqa: RUF012 (Airflow's own way of saying it)
    ui_color = "#f7d8dc"

    _run: CampaignRun | None = None
    _is_killed = False

    @overload
    def __init__(self, *, calls: Any, **arguments: Unpack[CampaignArguments]) -> None: ...

    @overload
    def __init__(self, *, calls: Any, **arguments: Any) -> None: ...

    def __init__(
        self,
        *,
        calls: Any,
        pace: float = 1.0,
        max_queued: int = 2,
        results_path: str | None = None,
        fail_when: float | None = None,
        restart: bool = False,
        on_duplicate: Literal["skip", "dial", "fail"] = "skip",
        twilio_conn_id: str = "twilio_default",
        deferrable: bool | None = None,
        poll_interval: float | timedelta = 5,
        accept_answered_by: Collection[str] | str | None = None,
        queue_timeout: float | timedelta | None = None,
        call_window: CallWindow | dict[str, Any] | str | None = None,
        on_outside_window: Literal["wait", "skip"] = "wait",
        expires_after: float | timedelta | None = None,
        do_not_call: Collection[str] | str | None = None,
        max_dials: int = 1,
        redial_after: float | timedelta = DEFAULT_REDIAL_AFTER,
        redial_on: Collection[str] | str = DEFAULT_REDIAL_ON,
        delivery: Delivery = "at_most_once",
        when_killed: Literal["cancel", "leave"] = "cancel",
        **arguments: Any,
    ) -> None:
        take_call_arguments(self, arguments, instead=_INSTEAD)
        super().__init__(**arguments)
        self.calls = calls
        self.pace = pace
        self.max_queued = max_queued
        self.results_path = results_path
        self.fail_when = fail_when
        self.restart = restart
        self.on_duplicate = on_duplicate
        self.twilio_conn_id = twilio_conn_id
        self.deferrable = DEFAULT_DEFERRABLE if deferrable is None else deferrable
        self.poll_interval = checks.in_seconds(poll_interval)
        self.accept_answered_by = checks.in_order(accept_answered_by)
        self.queue_timeout = queue_timeout
        self.call_window = call_window
        # A template that finds nothing does not mean that there is no window, or nobody on the list.
        self.has_window, self.has_do_not_call = call_window is not None, do_not_call is not None
        self.on_outside_window = on_outside_window
        self.expires_after = expires_after
        self.do_not_call = checks.in_order(do_not_call)
        self.max_dials = max_dials
        self.redial_after = redial_after
        self.redial_on = redial_on
        self.delivery = delivery
        self.when_killed = when_killed
        literals.refuse(
            [
                *self._problems(),
                *literals.literal_problems(self, [], has_default_message=True),
                *literals.problems_of_do_not_call(self.do_not_call),
            ]
        )
        self.redial_on = checks.read_redial_on(self.redial_on)
        self._warn_without_journal()

    def _warn_without_journal(self) -> None:
        from airflow_provider_twiliocall.compat import keeps_task_state

        if not keeps_task_state():
            warnings.warn(
                f"{self.task_id}: this Airflow keeps no journal for a task (3.3 and later do). If a campaign stops in "
                "the middle, a second try fails for good and dials nobody. Set retries=0, and see the results",
                UserWarning,
                stacklevel=2,
            )

    def _problems(self) -> list[str]:
        return literals.problems_of(
            lambda: checks.check_pace(self.pace),
            lambda: checks.check_max_queued(self.max_queued),
            lambda: checks.check_results_path(self.results_path),
            lambda: checks.check_fail_when(self.fail_when),
            lambda: checks.check_flag("restart", self.restart),
            lambda: literals.check_choice("on_duplicate", self.on_duplicate, ("skip", "dial", "fail")),
            lambda: checks.check_flag("deferrable", self.deferrable),
            lambda: checks.check_poll_interval(self.poll_interval),
            lambda: checks.check_queue_timeout(self.queue_timeout),
            lambda: check_call_window(self.call_window),
            lambda: literals.check_choice("on_outside_window", self.on_outside_window, ("wait", "skip")),
            lambda: checks.check_duration(
                "expires_after", 1 if self.expires_after is None else self.expires_after
            ),
            lambda: checks.check_max_dials(self.max_dials, waits=True),
            lambda: checks.check_duration("redial_after", self.redial_after, or_zero=True),
            lambda: checks.check_redial_on(self.redial_on, self.accept_answered_by),
            lambda: literals.check_delivery(self.delivery),
            lambda: literals.check_choice("when_killed", self.when_killed, ("cancel", "leave")),
        )

    # As Airflow calls it ----------------------------------------------------------------------------------

    def execute(self, context: Context) -> dict[str, Any]:
        """Place the calls and wait for them, or go on where an earlier try has stopped.

        :return: the summary
        :raises TwilioCallRefusedError: nothing can be dialled as it is, not to be retried
        :raises TwilioCallEndedForGoodError: too few people were reached, by ``fail_when``
        """
        return self._go_on(context, {})

    def _go_on(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        from airflow_provider_twiliocall.campaigns.campaign_run import CampaignRun, threads_for_polls
        from airflow_provider_twiliocall.campaigns.opening import OpenCampaign

        opened = OpenCampaign(self, context)
        with threads_for_polls() as threads:
            self._run = CampaignRun(self, opened, event, threads, is_stopped=lambda: self._is_killed)
            summary = self._run.to_the_end()
        context["ti"].xcom_push(key=SUMMARY, value=summary)
        self._fail_if_too_few_were_reached(summary)
        return summary

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on after a pause, or see how the calls ended that the trigger has waited for."""
        return self._go_on(context, event or {})

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as Airflow does; a wait that broke off is no reason to stop."""
        from airflow_provider_twiliocall.compat import TaskDeferralError, TaskDeferralTimeout

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            self.log.warning("The wait broke off: %s", error)
            return self.execute(context)

    def on_kill(self) -> None:
        """Cancel what is still in Twilio's queue, as ``when_killed`` says; runs in a signal handler."""
        self._is_killed = True
        if self._run is not None:
            self._run.on_kill()

    def _fail_if_too_few_were_reached(self, summary: dict[str, Any]) -> None:
        from airflow_provider_twiliocall.exceptions import TwilioCallEndedForGoodError

        share = summary["share_unreached"]
        if self.fail_when is not None and share and share >= self.fail_when:
            outcomes = ", ".join(f"{count:,} {reason}" for reason, count in summary["outcomes"].items())
            raise TwilioCallEndedForGoodError(
                f"{share:.1%} of the people were not reached (fail_when={self.fail_when:g}): {outcomes}. XCom "
                f"{SUMMARY!r} has the counts"
            )

    # What its run asks for --------------------------------------------------------------------------------

    @cached_property
    def hook(self) -> TwilioCallHook:
        """The hook, of the connection and account given."""
        return self.new_hook()

    def new_hook(self) -> TwilioCallHook:
        """Return a hook that fetches the connection again."""
        from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

        return TwilioCallHook(self.twilio_conn_id, account_sid=given(self.account_sid))

    @property
    def queue_timeout_s(self) -> float:
        """How long a call may stay in Twilio's queue, in seconds."""
        if self.queue_timeout is None:
            return DEFAULT_QUEUE_TIMEOUT_S
        return checks.read_seconds("queue_timeout", self.queue_timeout)
