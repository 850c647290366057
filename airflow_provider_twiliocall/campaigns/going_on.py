"""The calls of a campaign that are going on: looked at from the worker, while it places others."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures import wait as wait_for_futures
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.call_deadline import deadline_of_call
from airflow_provider_twiliocall.calls.group_poll import GroupPoll, WaitedCall
from airflow_provider_twiliocall.calls.list_tries import ListTries
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.watch import CallWatch, LookAgain
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.twilio.errors import TwilioThrottledError

if TYPE_CHECKING:
    from airflow_provider_twiliocall.callees.rules import DialRules
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

# Calls that Twilio has not started yet hold up the next ones, so they are looked at more often than the others, within
# these bounds.
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5
_GROWTH = 1.5


class CampaignCall(WaitedCall):
    """A call of a row.

    :param row: its index
    """

    __slots__ = ("row",)

    def __init__(self, row: int, watch: CallWatch, *, due: float) -> None:
        super().__init__(watch, due=due)
        self.row = row


class CallsGoingOn:
    """Calls of one account that are waited for, one poll after the other, beside whatever else the worker does.

    :param new_hook: fetches the connection again, after Twilio has refused its credentials
    :param queue_pause: seconds between two looks at calls that hold up the next one
    :param queue_timeout: seconds that a call may stay in Twilio's queue
    :param threads: for polls; it is used by nobody else
    """

    def __init__(
        self,
        hook: TwilioCallHook,
        new_hook: Callable[[], TwilioCallHook],
        *,
        poll_interval: float,
        queue_pause: float,
        queue_timeout: float,
        threads: Executor,
    ) -> None:
        self.hook = hook
        """The hook, with the credentials fetched last."""
        self._new_hook = new_hook
        self._poll_interval = poll_interval
        self._shortest_pause = min(max(queue_pause, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S, poll_interval)
        self._queue_pause = self._shortest_pause
        self._were_queued = 0
        self._queue_timeout = queue_timeout
        self._threads = threads
        self._calls: set[CampaignCall] = set()
        self._maybe_queued: list[CampaignCall] = []
        self._poll: Future[GroupPoll[CampaignCall]] | None = None
        self._are_credentials_fresh = False
        # Calls of earlier processes, until Twilio has shown when they were created.
        self._undated: dict[CampaignCall, tuple[CreateCallParams | None, DialRules | None]] = {}
        # Unix times: before the one nobody asks anything, at the other the first call is due.
        self._quiet_until = 0.0
        self._soonest_due = math.inf
        self._list_tries = ListTries()

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[CampaignCall]:
        return iter(tuple(self._calls))

    def add(
        self,
        row: int,
        call_sid: str,
        *,
        call: Call | None,
        params: CreateCallParams | None,
        rules: DialRules | None,
        not_found_since: float | None = None,
    ) -> None:
        """Wait for the call of a row.

        :param call: as Twilio has shown it; None where that is not known
        :param params: those of the call, where today's arguments give any
        :param rules: those of its row, likewise
        :param not_found_since: Unix time since which Twilio does not know it
        """
        now = clock.time()
        # Three lines for each of thousands of calls would hide the others.
        watch = CallWatch(call_sid, poll_interval=self._poll_interval, log_level=logging.DEBUG)
        watch.unknown_since = not_found_since
        waited = CampaignCall(row, watch, due=now + self._poll_interval if call else now)
        self._set_deadlines(watch, call, now, params, rules)
        if call and call.date_created:
            waited.created_at = call.date_created.timestamp()
        else:
            self._undated[waited] = (params, rules)
        self._calls.add(waited)
        self._maybe_queued.append(waited)
        self._soonest_due = min(self._soonest_due, waited.due)

    def _set_deadlines(
        self,
        watch: CallWatch,
        call: Call | None,
        placed_at: float,
        params: CreateCallParams | None,
        rules: DialRules | None,
    ) -> None:
        offset = self.hook.clock_offset
        queue_deadline = QueueDeadline.of(
            call,
            now=placed_at,
            queue_timeout=self._queue_timeout,
            latest_ring=rules.latest_ring(placed_at) if rules else math.inf,
            clock_offset=offset,
        )
        watch.deadline = deadline_of_call(
            queue_deadline,
            clock_offset=offset,
            ring_timeout=params.timeout if params else None,
            time_limit=params.time_limit if params else None,
        )
        watch.queue_deadline = queue_deadline if watch.may_be_queued else None

    def _reckon_from_creation(self, call: CampaignCall) -> None:
        """Reckon from its creation how long a call may take, now that Twilio has shown it.

        Every process that goes on with a campaign would give it all that time again.
        """
        if call.created_at is not None and (known := self._undated.pop(call, None)):
            watch, offset = call.watch, self.hook.clock_offset
            self._set_deadlines(watch, None, call.created_at - offset, *known)
            moments = (watch.deadline, watch.queue_deadline and watch.queue_deadline.at - offset)
            # Its time may be up already, and then it is due at once.
            call.due = min([call.due, *(moment for moment in moments if moment)])

    @property
    def queued(self) -> list[CampaignCall]:
        """Those that may be in Twilio's queue."""
        self._maybe_queued = [
            call for call in self._maybe_queued if call in self._calls and call.watch.may_be_queued
        ]
        return self._maybe_queued

    # Polls ------------------------------------------------------------------------------------------------

    def look(self, *, is_held_up: bool) -> None:
        """Begin a poll if one is due and none is under way.

        :param is_held_up: whether calls in Twilio's queue hold up the next one
        """
        now = clock.time()
        if now < self.next_look(is_held_up=is_held_up):
            return
        queued = [call for call in self.queued if call.due > now] if is_held_up else []
        due = [call for call in self._calls if call.due <= now] if self._soonest_due <= now else []
        if due or queued:
            self._poll = self._threads.submit(self._run, [*due, *queued], tuple(self._calls))

    @property
    def is_looking(self) -> bool:
        """Whether a poll is due or under way, or has ended and not been asked for."""
        return self._poll is not None or self._soonest_due <= clock.time()

    def next_look(self, *, is_held_up: bool) -> float:
        """Return when the next poll is due, as Unix time; infinite while one is under way, or nothing is to be seen."""
        if self._poll is not None or not self._calls:
            return math.inf
        return self._quiet_until if is_held_up else max(self._quiet_until, self._soonest_due)

    def wait(self, seconds: float) -> None:
        """Let time pass, or less where a poll ends before."""
        if self._poll is not None:
            wait_for_futures([self._poll], timeout=seconds)
        else:
            clock.sleep(seconds)

    def _run(self, due: list[CampaignCall], waiting: tuple[CampaignCall, ...]) -> GroupPoll[CampaignCall]:
        poll = GroupPoll(
            self.hook.watcher,
            due,
            waiting,
            reads_list=self._list_tries.is_due,
            are_credentials_fresh=self._are_credentials_fresh,
        )
        poll.run(self._threads)
        return poll

    def ended(self) -> list[tuple[CampaignCall, CallOutcome]]:
        """Return the calls that a poll has seen to their end since the last time; they are not waited for any more."""
        if self._poll is None or not self._poll.done():
            return []
        poll, self._poll = self._poll.result(), None
        now = clock.time()
        over = []
        for call, answer in poll.answers.items():
            if isinstance(answer, LookAgain):
                call.due = answer.at
                self._reckon_from_creation(call)
            elif isinstance(answer, CallOutcome):
                over.append((call, answer))
                self._calls.discard(call)
                self._undated.pop(call, None)
            else:
                logger.error("Call %s could not be looked at.", call.watch.call_sid, exc_info=answer)
                call.due = now + self._poll_interval
        # A queue that does not move is looked at less and less often.
        is_stuck = len(self.queued) == self._were_queued > 0
        longer = min(_GROWTH * self._queue_pause, self._poll_interval)
        self._queue_pause = longer if is_stuck else self._shortest_pause
        self._were_queued = len(self.queued)
        self._quiet_until = now + self._queue_pause
        self._soonest_due = min((call.due for call in self._calls), default=math.inf)
        self._learn_from(poll, now)
        return over

    def renew_hook(self) -> None:
        """Fetch the connection again: Twilio has refused its credentials."""
        self.hook.close()
        self.hook = self._new_hook()

    def _learn_from(self, poll: GroupPoll[CampaignCall], now: float) -> None:
        if poll.needs_credentials:
            self.renew_hook()
        self._are_credentials_fresh = poll.needs_credentials
        if isinstance(poll.stopped_by, TwilioThrottledError):
            looks = [answer.at for answer in poll.answers.values() if isinstance(answer, LookAgain)]
            self._quiet_until = min(looks, default=now + self._poll_interval)
        self._list_tries.learn_from(poll)
