"""One poller for all triggers that wait for calls of the same account on the same event loop.

So a thousand waits cost one client and a request or two for each poll, see :mod:`.group_poll`.

Not Airflow's own shared streams (``BaseEventTrigger.shared_stream_key``, 3.3 and later): a stream is opened with the
arguments of one trigger and never learns which calls the others wait for, so it cannot know how far to read the list
nor which calls to ask for singly. And each event goes through the queue of each trigger: to deliver six polls of ten
pages to 10,000 triggers took 1.7 seconds of CPU, which is what all of this takes, requests and events included.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import random
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for_futures
from functools import partial

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.group_poll import Answer, GroupPoll, WaitedCall
from airflow_provider_twiliocall.calls.list_tries import ListTries
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.watch import CallWatch, LookAgain
from airflow_provider_twiliocall.exceptions import TwilioConnectionError, TwilioConnectionNotFoundError
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.errors import TwilioThrottledError

logger = logging.getLogger(__name__)

# A trigger that joins the others waits for the next poll, and no longer than this. So does a call for which no request
# was left.
LONGEST_TO_NEXT_LOOK_S = 5.0

# Pollers in several triggerers shall not ask all at once. A look is late by no more than this part of the poll
# interval, and no more than these seconds.
_JITTER = 0.1
_MOST_JITTER_S = 0.5

# Looks at single calls, side by side. Twilio caps the requests that an account may have going on.
_MOST_LOOKS_AT_ONCE = 10

TASK_NAME = "twilio-call-poller"

# Tests replace it.
chance = random.Random()

_Key = tuple[str, str | None]

_pollers: dict[asyncio.AbstractEventLoop, dict[_Key, SharedPoller]] = {}


def poller_for(twilio_conn_id: str, account_sid: str | None) -> SharedPoller:
    """Return the running event loop's poller for a connection and account.

    :param account_sid: the account of the calls, where it is not the connection's
    """
    for loop in [loop for loop in _pollers if loop.is_closed()]:
        del _pollers[loop]
    of_loop = _pollers.setdefault(asyncio.get_running_loop(), {})
    key = twilio_conn_id, account_sid
    if key not in of_loop:
        of_loop[key] = SharedPoller(twilio_conn_id, account_sid)
    return of_loop[key]


class _Waiter(WaitedCall):
    """A call, and where whoever waits for it is told."""

    __slots__ = ("told",)

    def __init__(self, watch: CallWatch, *, due: float, told: asyncio.Future[CallOutcome]) -> None:
        super().__init__(watch, due=due)
        self.told = told

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for it: one whose task is canceled does not."""
        return not self.told.done()


class SharedPoller:
    """Looks at the calls that are waited for, at the shortest interval that any of those who wait has asked for.

    It starts with the first and ends with the last of them. It leaves no task, thread or socket behind.
    """

    def __init__(self, twilio_conn_id: str, account_sid: str | None) -> None:
        self._key = twilio_conn_id, account_sid
        self.hook: TwilioCallHook | None = None
        """The hook, with its connection; None until that was fetched."""
        self._waiters: set[_Waiter] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._looking: Future[GroupPoll[_Waiter]] | None = None
        self._shortest_interval = LONGEST_TO_NEXT_LOOK_S
        self._last_poll = -math.inf
        self._quiet_until = 0.0
        self._list_tries = ListTries()

    async def wait(self, watch: CallWatch) -> CallOutcome:
        """Wait until the watch says that it is over.

        :raises Exception: a fault of ours in looking at this one call
        """
        waiter = _Waiter(watch, due=0.0, told=asyncio.get_running_loop().create_future())
        waiter.due = self._first_look(waiter.poll_interval)
        self._waiters.add(waiter)
        self._start()
        self._wake.set()
        try:
            return await waiter.told
        finally:
            self._waiters.discard(waiter)
            if not self._waiters:
                self._wake.set()

    def _first_look(self, poll_interval: float) -> float:
        shortest = min(poll_interval, self._shortest_interval)
        return max(clock.time(), self._last_poll + min(shortest, LONGEST_TO_NEXT_LOOK_S), self._quiet_until)

    # The task ---------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._task is None:
            # In a context of its own: with that of a trigger, all it logs would go into that trigger's log for ever.
            create = partial(asyncio.get_running_loop().create_task, self._run(), name=TASK_NAME)
            self._task = contextvars.Context().run(create)
            self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Let another task go on if this one has died while somebody waits."""
        self._task = None
        if self._living():
            logger.warning("The poller for the connection %r has died. It is replaced.", self._key[0])
            self._start()
        elif not task.cancelled() and (error := task.exception()):
            logger.error("The poller for the connection %r has died.", self._key[0], exc_info=error)

    @property
    def _slack(self) -> float:
        return min(_MOST_JITTER_S, _JITTER * self._shortest_interval)

    def _living(self) -> list[_Waiter]:
        # One that is being cancelled is still in the set for a moment.
        return [waiter for waiter in self._waiters if waiter.is_wanted]

    async def _run(self) -> None:
        try:
            while living := self._living():
                self._wake.clear()
                self._shortest_interval = min(waiter.poll_interval for waiter in living)
                soonest, now = min(waiter.due for waiter in living), clock.time()
                if soonest > now:
                    await self._sleep(soonest - now)
                else:
                    await self._poll_and_survive(
                        [waiter for waiter in living if waiter.due <= now + self._slack]
                    )
        finally:
            self._close()

    async def _sleep(self, seconds: float) -> None:
        """Sleep, or less where somebody new waits or nobody does any more."""
        naps = [
            asyncio.ensure_future(asyncio.sleep(seconds)),
            asyncio.ensure_future(self._wake.wait()),
        ]
        try:
            await asyncio.wait(naps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for nap in naps:
                nap.cancel()

    def _close(self) -> None:
        of_loop = _pollers.get(asyncio.get_running_loop(), {})
        if not self._living() and of_loop.get(self._key) is self:
            del of_loop[self._key]
            if not of_loop:
                del _pollers[asyncio.get_running_loop()]
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None
        if self.hook is not None:
            # It stays: who ends the call of a killed task has no time to fetch another.
            self.hook.close()

    # One poll ---------------------------------------------------------------------------------------------

    async def _poll_and_survive(self, due: list[_Waiter]) -> None:
        self._last_poll = clock.time()
        try:
            answers = await self._poll(due)
        except TwilioConnectionError as error:
            self.hook = None
            # A trigger that raises fails its task as if the call had never been placed, and a retry would dial again.
            answers = dict.fromkeys(due, CallOutcome(Reason.UNKNOWN, why=str(error)))
        except Exception:
            logger.exception(
                "A poll for the connection %r has failed. The next one comes soon.", self._key[0]
            )
            answers = dict.fromkeys(due, LookAgain(clock.time() + LONGEST_TO_NEXT_LOOK_S))
        late = chance.uniform(0, self._slack)
        for waiter, answer in answers.items():
            if isinstance(answer, LookAgain):
                waiter.due = answer.at + late
            elif isinstance(answer, CallOutcome) and waiter.is_wanted:
                waiter.told.set_result(answer)
            elif isinstance(answer, Exception) and waiter.is_wanted:
                waiter.told.set_exception(answer)

    async def _poll(self, due: list[_Waiter]) -> Mapping[_Waiter, Answer]:
        is_new = self.hook is None
        try:
            hook = self.hook = self.hook or await self._fetched_hook()
        except TwilioConnectionError:
            raise
        except TwilioConnectionNotFoundError as error:
            return {waiter: waiter.miss(error) for waiter in due}
        except Exception as error:
            problem = f"The connection {self._key[0]!r} could not be fetched ({error})"
            return {waiter: waiter.miss(TwilioConnectionNotFoundError(problem)) for waiter in due}
        # The set of those who wait may change while a thread looks.
        look = partial(
            self._look, hook, due, tuple(self._waiters), self._looking, are_credentials_fresh=is_new
        )
        self._threads = self._threads or ThreadPoolExecutor(_MOST_LOOKS_AT_ONCE + 1, "twilio-call-poll")
        self._looking = self._threads.submit(look)
        poll = await asyncio.wrap_future(self._looking)
        self._learn_from(poll, due)
        return poll.answers

    async def _fetched_hook(self) -> TwilioCallHook:
        conn_id, account_sid = self._key
        hook = TwilioCallHook(conn_id, account_sid=account_sid)
        await hook.fetch_connection()
        return hook

    def _look(
        self,
        hook: TwilioCallHook,
        due: list[_Waiter],
        waiting: tuple[_Waiter, ...],
        before: Future[GroupPoll[_Waiter]] | None,
        *,
        are_credentials_fresh: bool,
    ) -> GroupPoll[_Waiter]:
        assert self._threads is not None
        if before is not None:
            # That of a poller that has died goes on in its thread, and two must not take news of the same call.
            wait_for_futures([before])
        poll = GroupPoll(
            # Built in this thread too: a TLS context takes a while.
            hook.watcher,
            due,
            waiting,
            reads_list=self._list_tries.is_due,
            are_credentials_fresh=are_credentials_fresh,
        )
        poll.run(self._threads)
        return poll

    def _learn_from(self, poll: GroupPoll[_Waiter], due: list[_Waiter]) -> None:
        if poll.needs_credentials:
            # Those who have no answer are due still, and the next poll has a new hook.
            self._drop_hook()
            return
        postponed_to = self._last_poll + min(self._shortest_interval, LONGEST_TO_NEXT_LOOK_S)
        for waiter in due:
            if waiter not in poll.answers:
                waiter.due = postponed_to
        if isinstance(poll.stopped_by, TwilioThrottledError):
            looks = [answer.at for answer in poll.answers.values() if isinstance(answer, LookAgain)]
            self._quiet_until = min(looks, default=0.0)
            for waiter in self._waiters:
                waiter.due = max(waiter.due, self._quiet_until)
        self._list_tries.learn_from(poll)

    def _drop_hook(self) -> None:
        if self.hook is not None:
            self.hook.close()
            self.hook = None
