"""One poll of many calls of an account: pages of Twilio's list, and a look at each call that they do not show.

Never more requests than calls that are due. What the list shows is news only in so far as it is Twilio's word about the
call: another order, or a list that is behind, costs requests and never a verdict.
"""

from __future__ import annotations

import contextvars
from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.list_walk import ListWalk
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.poll import CallPoll
from airflow_provider_twiliocall.calls.watch import CallWatch, CancelInQueue, Fault, LookAgain
from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.call_list import created_at, listed_call
from airflow_provider_twiliocall.twilio.client import TwilioClient
from airflow_provider_twiliocall.twilio.errors import (
    TwilioError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)

# So many looks in a row that did not reach Twilio say that it is not the single call.
_FAULTS_IN_A_ROW = 5

_WRONG_CREDENTIALS = 20003

_GOING_ON: dict[object, CallStatus] = {
    status.value: status for status in CallStatus if not status.is_terminal
}

Answer = LookAgain | CallOutcome | Exception
"""What came of a look: when to look again, the end, or a fault of ours."""


class WaitedCall:
    """A call that somebody waits for.

    What is logged about it goes to the log of whoever made this object: each has a context of its own.

    :param due: Unix time of the next look
    """

    __slots__ = (
        "_context",
        "_listed",
        "_listed_as",
        "asked_at",
        "created_at",
        "due",
        "poll_interval",
        "watch",
    )

    def __init__(self, watch: CallWatch, *, due: float) -> None:
        self.watch = watch
        self.poll_interval = float(watch.poll_interval)
        self.due = due
        self.asked_at = 0.0
        """Unix time of the latest look."""
        self.created_at: float | None = None
        """Unix time by Twilio's clock; None where it was never seen."""
        self._context = contextvars.copy_context()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for it."""
        return True

    def miss(self, fault: Fault) -> LookAgain | CallOutcome:
        """Take what kept it from being seen."""
        return self._context.run(self.watch.missed, fault, clock.time())

    def ask(self, client: TwilioClient) -> Call | Fault:
        """Ask Twilio for it."""
        return self._context.run(CallPoll(self.watch, lambda: client).ask)

    def take(self, news: Call | Fault, client: TwilioClient) -> LookAgain | CallOutcome:
        """Take what was seen just now."""
        if isinstance(news, Call) and news.date_created:
            self.created_at = news.date_created.timestamp()
        return self._context.run(CallPoll(self.watch, lambda: client).take, news)

    def take_listed(
        self, body: dict[str, Any], now: float, clock_offset: float
    ) -> LookAgain | CallOutcome | None:
        """Take an entry of Twilio's list; None where the call has to be looked at by itself."""
        if self.created_at is None:
            self.created_at = created_at(body)
        # To read a whole entry costs most of a poll, and most entries are what they were.
        status = _GOING_ON.get(body.get("status"))
        if status and not self.watch.is_news(status):
            return self._context.run(self.watch.observe_going_on, status, now, clock_offset=clock_offset)
        call = self._context.run(listed_call, body)
        if call is None:
            return None
        decision = self._context.run(self.watch.observe, call, now, clock_offset=clock_offset)
        return None if isinstance(decision, CancelInQueue) else decision


Waited = TypeVar("Waited", bound=WaitedCall)


class GroupPoll(Generic[Waited]):
    """One poll. It blocks; :attr:`answers` then says what came of it.

    :param due: the calls to look at
    :param waiting: all calls that are waited for; what the list shows of them on the way is news of them
    :param reads_list: whether the list is worth a try
    :param are_credentials_fresh: whether they were fetched for this poll, so that Twilio's refusal of them is final
    """

    def __init__(
        self,
        client: TwilioClient,
        due: Sequence[Waited],
        waiting: Collection[Waited],
        *,
        reads_list: bool,
        are_credentials_fresh: bool,
    ) -> None:
        self._client = client
        self._due = sorted(due, key=lambda call: call.asked_at)
        self._waiting = waiting
        self._reads_list = reads_list
        self._are_credentials_fresh = are_credentials_fresh
        self._walk = ListWalk({call.watch.call_sid: call.created_at for call in due})
        self._started = clock.time()
        self._faults_in_a_row = 0
        self._has_looked = False
        self.answers: dict[Waited, Answer] = {}
        self.stopped_by: TwilioError | None = None
        """What keeps all calls from being seen."""
        self.needs_credentials = False
        """Whether Twilio has refused credentials that may have been replaced since; the other calls remain due."""

    @property
    def was_list_useless(self) -> bool:
        """Whether looks at single calls would have cost no more requests, as far as one can tell."""
        return self._walk.pages > 0 and not self._walk.has_paid and self._has_looked and not self.stopped_by

    @property
    def was_list_useful(self) -> bool:
        """Whether the list has saved requests."""
        return self._walk.has_paid

    def run(self, threads: Executor) -> None:
        """Poll.

        :param threads: for looks at several single calls
        """
        if self._reads_list:
            self._read_list()
        unseen = [call for call in self._due if call not in self.answers]
        # Those for whom no request is left come first the next time.
        room = len(self._due) - self._walk.pages
        if len(unseen[:room]) < 2:
            for call in unseen[:room]:
                self._look(call)
        else:
            list(threads.map(self._look, unseen[:room]))
        if self.stopped_by:
            for call in unseen[room:]:
                self._look(call)

    def _read_list(self) -> None:
        # Two waits for the same call are rare: the second one looks for itself.
        wanted = {call.watch.call_sid: call for call in self._waiting}
        pages = self._client.call_pages(self._walk.page_size)
        try:
            while self._walk.is_worth_a_page and (page := next(pages, None)) is not None:
                self._take_page(page, wanted)
        except TwilioError as fault:
            self._walk.failed()
            if isinstance(fault, TwilioThrottledError):
                self.stopped_by = fault
            elif _is_about_credentials(fault):
                self.needs_credentials = not self._are_credentials_fresh

    def _take_page(self, page: list[Any], wanted: dict[str, Waited]) -> None:
        entries = [entry for entry in page if isinstance(entry, dict) and isinstance(entry.get("sid"), str)]
        self._walk.saw([entry["sid"] for entry in entries], created_at(entries[-1]) if entries else None)
        offset = self._client.clock_offset or 0.0
        for entry in entries:
            if (call := wanted.pop(entry["sid"], None)) is not None:
                self._take_entry(call, entry, offset)

    def _take_entry(self, call: Waited, entry: dict[str, Any], offset: float) -> None:
        try:
            # All by the moment at which the poll began, so that they are due together again.
            answer = call.take_listed(entry, self._started, offset)
        except Exception as error:
            self.answers[call] = error
        else:
            if answer is not None:
                self._note(call, answer)

    def _look(self, call: Waited) -> None:
        if self.needs_credentials or not call.is_wanted:
            return
        try:
            news = self.stopped_by or call.ask(self._client)
            if _is_about_credentials(news) and not self._are_credentials_fresh:
                self.needs_credentials = True
                return
            self._see_whether_it_is_about_all(news)
            self._note(call, call.take(news, self._client))
        except Exception as error:
            self.answers[call] = error

    def _see_whether_it_is_about_all(self, news: Call | Fault) -> None:
        self._faults_in_a_row = self._faults_in_a_row + 1 if isinstance(news, TwilioUnreachableError) else 0
        self._has_looked |= isinstance(news, (Call, TwilioNotFoundError))
        is_away = self._faults_in_a_row >= _FAULTS_IN_A_ROW
        if isinstance(news, TwilioError) and (
            is_away or isinstance(news, TwilioThrottledError) or _is_about_credentials(news)
        ):
            self.stopped_by = news

    def _note(self, call: Waited, answer: LookAgain | CallOutcome) -> None:
        call.asked_at = self._started
        self.answers[call] = answer


def _is_about_credentials(news: Call | Fault) -> bool:
    return isinstance(news, TwilioRejectedError) and (
        news.http_status == 401 or news.code == _WRONG_CREDENTIALS
    )
