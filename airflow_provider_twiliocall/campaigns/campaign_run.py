"""One process of a campaign: it places calls at their pace, and sees to it how those before go on."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.arguments.checks import read_seconds
from airflow_provider_twiliocall.callees.do_not_call import DoNotCallList
from airflow_provider_twiliocall.callees.rules import written_do_not_call
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.campaigns.deferral import defer_campaign
from airflow_provider_twiliocall.campaigns.going_on import CallsGoingOn, CampaignCall
from airflow_provider_twiliocall.campaigns.how_to_place import HowToPlace
from airflow_provider_twiliocall.campaigns.kill import cancel_queued_calls
from airflow_provider_twiliocall.campaigns.ledger import CampaignLedger
from airflow_provider_twiliocall.campaigns.opening import OpenCampaign
from airflow_provider_twiliocall.campaigns.outcomes import judged
from airflow_provider_twiliocall.campaigns.placing import CampaignPlacing
from airflow_provider_twiliocall.campaigns.progress import Progress, tell_of_the_end
from airflow_provider_twiliocall.campaigns.result_files import ResultFiles
from airflow_provider_twiliocall.compat import runs_triggers_in_line
from airflow_provider_twiliocall.exceptions import TwilioCallInterruptedError, TwilioCallSupersededError
from airflow_provider_twiliocall.journal.reason import Reason

if TYPE_CHECKING:
    from airflow_provider_twiliocall.campaigns.campaign_task import CampaignTask

logger = logging.getLogger(__name__)

# A pause of so long is worth giving the worker back.
SHORTEST_PAUSE_TO_DEFER_S = 30.0

_LONGEST_NAP_S = 1.0
_MOST_LOOKS_AT_ONCE = 5


def threads_for_polls() -> Executor:
    """Return threads for one poll, and its looks at single calls. Tests replace it."""
    return ThreadPoolExecutor(_MOST_LOOKS_AT_ONCE + 1, "twilio-campaign-poll")


class CampaignRun:
    """What one process of a campaign does, once it is open.

    :param task: the operator, rendered
    :param event: of :class:`.CallCampaignTrigger`, where the task was deferred
    :param threads: those of :func:`threads_for_polls`
    :param is_stopped: whether the task was told to stop
    """

    def __init__(
        self,
        task: CampaignTask,
        opened: OpenCampaign,
        event: Mapping[str, Any],
        threads: Executor,
        *,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._task = task
        self._calls = opened.calls
        self._journal = opened.journal
        self._is_stopped = is_stopped
        # Calls of earlier processes, which may have canceled them without a word in the journal.
        self._taken_up: frozenset[str] = frozenset()
        # The do-not-call list as it is written, and as it was read.
        self._listed: tuple[Any, DoNotCallList] | None = None
        # Calls whose end nobody will see.
        self._lost_calls: list[str] = []
        self._ledger = CampaignLedger(len(self._calls))
        self._files = (
            ResultFiles(task.results_path, self._calls, self._ledger.results) if task.results_path else None
        )
        self._going_on = CallsGoingOn(
            task.hook,
            task.new_hook,
            poll_interval=task.poll_interval,
            queue_pause=task.max_queued / task.pace / 4,
            queue_timeout=task.queue_timeout_s,
            threads=threads,
        )
        self._placing = self._new_placing(is_stopped)
        self._progress = Progress(self._placing, self._going_on, self._ledger.results)
        self._take_up(opened, event)

    def _new_placing(self, is_stopped: Callable[[], bool]) -> CampaignPlacing:
        task = self._task
        how = HowToPlace(
            task.pace,
            task.max_queued,
            skips_outside_window=task.on_outside_window == "skip",
            delivery=task.delivery,
            do_not_call=self._do_not_call,
        )
        return CampaignPlacing(
            how, self._calls, self._journal, self._ledger, self._going_on, is_stopped=is_stopped
        )

    def to_the_end(self) -> dict[str, Any]:
        """Go on with the campaign, to its end or until there is nothing to dial for a while.

        :return: the summary
        """
        try:
            while self._placing.waiting or self._going_on:
                self._step()
        except BaseException as error:
            self._leave(error)
            raise
        self._journal.release()
        if self._files:
            self._files.write_final_parts()
        summary = self._summary()
        tell_of_the_end(summary, seconds=self._journal.now() - self._journal.began)
        return summary

    def on_kill(self) -> None:
        """Cancel what is still in Twilio's queue; runs in a signal handler."""
        if self._task.when_killed == "cancel":
            queued = [call.watch.call_sid for call in self._going_on.queued]
            cancel_queued_calls(self._going_on.hook, queued)

    # What earlier processes have left ---------------------------------------------------------------------

    def _take_up(self, opened: OpenCampaign, event: Mapping[str, Any]) -> None:
        latest = self._ledger.take_up(opened.dials, duplicates=opened.duplicates)
        lost, not_found_since = frozenset(event.get("given_up") or ()), event.get("not_found_since") or {}
        self._taken_up = frozenset(latest.values())
        for row, call_sid in latest.items():
            if call_sid in lost:
                self._lost_calls.append(call_sid)
                self._ledger.ended(row, CallOutcome(Reason.UNKNOWN, call_sid=call_sid), again_at=None)
            else:
                self._wait_for(row, call_sid, not_found_since.get(call_sid))
        if not opened.is_new:
            logger.info(
                "The campaign goes on: %d of %d rows were called before, %d are to be called.",
                len(latest),
                len(self._calls),
                len(self._ledger.queue),
            )

    def _wait_for(self, row: int, call_sid: str, not_found_since: float | None) -> None:
        params, rules = None, None
        # What is said may have changed since; the call goes on all the same.
        with suppress(ValueError):
            params = self._calls.params(row)
            rules = self._calls.rules(row, params.to)
        self._going_on.add(
            row, call_sid, call=None, params=params, rules=rules, not_found_since=not_found_since
        )

    # Step by step -----------------------------------------------------------------------------------------

    def _step(self) -> None:
        if self._is_stopped():
            raise TwilioCallInterruptedError("The task was told to stop. A retry goes on with the next row")
        for call, outcome in self._going_on.ended():
            self._ended(call, outcome)
        is_held_up = self._placing.may_soon_be_held_up
        self._going_on.look(is_held_up=is_held_up)
        now = clock.time()
        self._progress.tell(now=now)
        next_turn = self._placing.next_turn
        if next_turn <= now and not self._placing.is_held_up:
            self._placing.give_turn()
            return
        self._write_results()
        self._defer_if_worth_it(now, next_turn)
        next_look = self._going_on.next_look(is_held_up=is_held_up)
        # Where calls in Twilio's queue hold up the next one, the next look says when it may go on.
        soonest = next_look if self._placing.is_held_up else min(next_turn, next_look)
        self._going_on.wait(min(max(soonest - now, 0.0), _LONGEST_NAP_S))

    def _ended(self, call: CampaignCall, outcome: CallOutcome) -> None:
        row = call.row
        outcome = judged(outcome, self._calls, row, queue_timeout=self._task.queue_timeout_s)
        now = clock.time()
        was_canceled = outcome.reason is Reason.WINDOW_CLOSED or self._was_canceled_by_a_kill(outcome)
        if was_canceled and not self._ledger.is_given_up(row):
            # It has not rung: the rules of its next turn say what comes of that.
            self._ledger.has_not_rung(row, due=now)
            return
        redial = self._calls.redial(row)
        again_at = None
        if redial.follows(outcome, dials=self._ledger.dials_of(row)) and not self._ledger.is_given_up(row):
            ended = outcome.call and (outcome.call.end_time or outcome.call.date_updated)
            ended_at = ended.timestamp() - self._task.hook.clock_offset if ended else now
            again_at = ended_at + redial.after_s
        self._ledger.ended(row, outcome, again_at=again_at)

    def _was_canceled_by_a_kill(self, outcome: CallOutcome) -> bool:
        """Whether an earlier process has canceled the call in Twilio's queue when it was killed, by all one can see."""
        call = outcome.call
        return (
            self._task.when_killed == "cancel"
            and outcome.reason is Reason.CANCELED_ELSEWHERE
            and call is not None
            and call.start_time is None
            and call.sid in self._taken_up
        )

    def _do_not_call(self) -> DoNotCallList:
        """Read the list again, which may be a Variable's; thousands of numbers are parsed only where they changed."""
        is_lost = self._task.do_not_call is None and self._task.has_do_not_call
        written = written_do_not_call("" if is_lost else self._task.do_not_call)
        if self._listed is None or self._listed[0] != written:
            country = self._task.hook.settings.default_country
            self._listed = written, DoNotCallList.from_value(written, default_country=country)
        return self._listed[1]

    def _write_results(self) -> None:
        if not self._files:
            return
        try:
            self._files.write_final_parts()
        except Exception as error:
            logger.warning("The results cannot be written for now: %s", error)

    # Leaving ----------------------------------------------------------------------------------------------

    def _defer_if_worth_it(self, now: float, next_turn: float) -> None:
        may_defer = self._task.deferrable and self._journal.is_kept and not runs_triggers_in_line()
        is_over = not self._going_on and math.isinf(next_turn)
        if not may_defer or is_over or self._going_on.is_looking:
            return
        if next_turn - now < SHORTEST_PAUSE_TO_DEFER_S:
            return
        until = next_turn
        if math.isinf(until) and self._calls.may_redial:
            # The trigger does not judge how calls end: somebody has to look whether one is to be dialled again.
            pause = read_seconds("redial_after", self._task.redial_after)
            until = now + max(pause, SHORTEST_PAUSE_TO_DEFER_S)
        self._placing.close_block()
        self._journal.release()
        defer_campaign(self._task, self._going_on, until=until, given_up=self._lost_calls)

    def _leave(self, error: BaseException) -> None:
        """Write down what is known, so that the next try has less to find out."""
        if isinstance(error, (TaskDeferred, TwilioCallSupersededError)):
            return
        try:
            self._placing.leave()
            self._journal.release()
        except Exception as problem:
            logger.warning("The journal of the campaign could not be written at the end: %s", problem)
        logger.warning("The campaign stops here, for now: %s", self._ledger.results.summary())

    def _summary(self) -> dict[str, Any]:
        now = self._journal.now()
        files = [self._files.name_of(part) for part in range(len(self._files.parts))] if self._files else []
        return {
            **self._ledger.results.summary(),
            "began": pendulum.from_timestamp(self._journal.began).to_iso8601_string(),
            "ended": pendulum.from_timestamp(now).to_iso8601_string(),
            "results": files,
        }
