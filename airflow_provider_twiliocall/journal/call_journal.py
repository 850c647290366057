"""The journal of a task's call: what a try writes down before and after it dials, where its next try finds it.

Where Airflow keeps nothing for a task (:mod:`.store`), the journal is blank at every try.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.exceptions import TwilioCallJournalError, TwilioCallSupersededError
from airflow_provider_twiliocall.journal.attempt import MOST_ATTEMPTS, CallAttempt
from airflow_provider_twiliocall.journal.entry import Entry, State
from airflow_provider_twiliocall.journal.store import KEY, Store, is_superseded, store_of
from airflow_provider_twiliocall.twilio.call import CallStatus

if TYPE_CHECKING:
    from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
    from airflow_provider_twiliocall.journal.reason import Reason
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.ending import HowToEnd
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

# A call was placed and its SID is to be kept: a write may take 20 s to fail while the API server is away.
_WRITES_OF_A_SID = 4
_PAUSE_BETWEEN_WRITES_S = 2.0

# Enough for any number of retries, and far below what the store takes.
_LONGEST_MEMORY = 100


class CallJournal:
    """The journal of one task instance.

    :param store: Airflow's task state store; None where there is none
    :param max_tries: of this try
    :param carried: what :meth:`to_carry` gave before the task was deferred
    """

    def __init__(
        self, store: Store | None, max_tries: int, *, carried: Mapping[str, Any] | None = None
    ) -> None:
        self._store = store
        self.max_tries = max_tries
        self._entry = Entry.from_json(carried) if carried and store is None else None
        # Seen to their end since the entry was written.
        self._ended: tuple[CallAttempt, ...] = ()

    @classmethod
    def of(cls, context: Mapping[str, Any], carried: Mapping[str, Any] | None = None) -> CallJournal:
        """Open the journal of the task instance that a context is of."""
        return cls(store_of(context), getattr(context.get("ti"), "max_tries", 0), carried=carried)

    def to_carry(self) -> dict[str, Any] | None:
        """Return what a task that is deferred has to take along, where there is no store: no phone number in it."""
        return self._entry.to_json() if self._entry and self._store is None else None

    @property
    def is_kept(self) -> bool:
        """Whether a next try will find it."""
        return self._store is not None

    @property
    def known_sids(self) -> frozenset[str]:
        """The calls that earlier tries have placed."""
        return frozenset(self._entry.earlier_sids) if self._entry else frozenset()

    @property
    def is_begun(self) -> bool:
        """Whether this run has set about a call."""
        return self._entry is not None and self._entry.max_tries == self.max_tries

    @property
    def is_ended_by_us(self) -> bool:
        """Whether this run has ended its latest call, or taken it back."""
        return self.is_begun and self._entry is not None and self._entry.ended_by_us is not None

    @property
    def step(self) -> int:
        """Which of the task's steps was begun last in this run; 0 before the first."""
        return self._entry.step if self._entry and self.is_begun else 0

    @property
    def token(self) -> str | None:
        """What the receiver knows this run of the task by; None where it was not asked for."""
        return self._entry.token if self._entry and self.is_begun else None

    def is_called_back(self, call_sid: str) -> bool:
        """Whether Twilio tells the receiver when this call is over, as far as it is known without asking."""
        return bool(self._entry and self._entry.call_sid == call_sid and self._entry.is_called_back)

    @property
    def attempts(self) -> tuple[CallAttempt, ...]:
        """The calls that this run has seen to their end, in order."""
        written = self._entry.attempts if self._entry and self.is_begun else ()
        return (*written, *self._ended)

    def remember(self, attempt: CallAttempt) -> None:
        """Remember how a call ended; that is written down with the next one, and can be asked of Twilio until then."""
        if attempt.call_sid is None or attempt.call_sid not in {known.call_sid for known in self.attempts}:
            self._ended = (*self._ended, attempt)

    def flush(self) -> None:
        """Write down now what was added, where there is an entry to write it to: no call may come for a while."""
        entry = self._entry
        if entry is None or not self.is_begun or not self._ended:
            return
        if self._write(replace(entry, attempts=self.attempts[-MOST_ATTEMPTS:])):
            self._ended = ()

    def read(self) -> Entry | None:
        """Return what an earlier try, or an earlier part of this one, has written; None for nothing.

        :raises TwilioCallJournalError: where it cannot be read now; nothing may be dialled then
        """
        if self._store is None:
            return self._entry
        try:
            written = self._store.get(KEY)
        except Exception as error:
            raise TwilioCallJournalError(
                f"What earlier tries have dialled cannot be read from Airflow's task state store ({error}), so "
                "nothing was dialled. A retry tries again"
            ) from error
        self._entry = Entry.from_json(written) if written else None
        return self._entry

    def call_sid(self) -> str | None:
        """Return the SID of the call this run has placed last, as far as the journal knows.

        :raises TwilioCallJournalError: where it cannot be read now
        """
        entry = self.read()
        return entry.call_sid if entry and entry.max_tries == self.max_tries else None

    def placing(
        self,
        params: CreateCallParams,
        *,
        account_sid: str | None = None,
        step: int = 0,
        clock_offset: float | None = None,
        token: str | None = None,
        is_called_back: bool = False,
    ) -> Entry:
        """Write down that a request is about to go out. To be called before every single one.

        :param account_sid: the account that it is for; for this and the others see :class:`Entry`
        :raises TwilioCallSupersededError: another process runs this task by now: don't dial
        :raises TwilioCallJournalError: it could not be written: don't dial
        """
        entry = Entry.of_request(
            params,
            max_tries=self.max_tries,
            account_sid=account_sid,
            clock_offset=clock_offset,
            earlier_sids=self._sids_so_far(),
            step=step,
            attempts=self.attempts,
            token=token,
            is_called_back=is_called_back,
        )
        try:
            self._put(entry)
        except Exception as error:
            if is_superseded(error):
                raise TwilioCallSupersededError(
                    "Another try of this task has taken over, so this one did not dial"
                ) from None
            raise TwilioCallJournalError(
                f"Airflow's task state store cannot be written ({error}), so nothing was dialled: without it a "
                "retry could ring twice"
            ) from error
        self._ended = ()
        return entry

    def placed(self, call_sid: str, *, queue_deadline: QueueDeadline | None = None) -> None:
        """Write down the SID, and try again for a while where the API server is away.

        :param queue_deadline: see :class:`Entry`
        :raises TwilioCallSupersededError: another process runs this task by now, and cannot know of this call
        """
        if self._entry is None:
            return
        entry = replace(
            self._entry,
            state=State.PLACED,
            call_sid=call_sid,
            ended_by_us=None,
            queue_deadline=queue_deadline,
        )
        # Known to this process whatever becomes of the writing: what is written next has it too, and where nothing
        # is, a next try looks for it at Twilio.
        self._entry = entry
        for attempt in range(1, _WRITES_OF_A_SID + 1):
            try:
                self._put(entry)
                return
            except Exception as error:
                if is_superseded(error):
                    raise TwilioCallSupersededError(
                        f"Another try of this task has taken over while this one placed call {call_sid}"
                    ) from None
                logger.warning("Call %s could not be written down yet: %s", call_sid, error)
                if attempt < _WRITES_OF_A_SID:
                    clock.sleep(_PAUSE_BETWEEN_WRITES_S)

    def still_holds(self) -> None:
        """See that what was written last is still this process's to go by: the store refuses one that was replaced.

        :raises TwilioCallSupersededError: another process runs this task by now
        """
        if self._entry is None:
            return
        try:
            self._put(self._entry)
        except Exception as error:
            if is_superseded(error):
                raise TwilioCallSupersededError(
                    "Another try of this task has taken over while this one looked for the call it had sent"
                ) from None
            logger.warning("It cannot be seen whether another try has taken over: %s", error)

    def not_placed(self) -> None:
        """Write down that the request provably came to nothing, so that a next try need not look for a call."""
        if self._entry is not None:
            self._write(replace(self._entry, state=State.NOT_PLACED))

    def restore(self, entry: Entry) -> None:
        """Let an earlier entry be the latest again."""
        self._write(entry)

    def queue_deadline_of(self, call_sid: str) -> QueueDeadline | None:
        """Return until when this run's call may stay in Twilio's queue, as far as it is known without asking."""
        return self._entry.queue_deadline if self._entry and self._entry.call_sid == call_sid else None

    def account_sid_of(self, call_sid: str) -> str | None:
        """Return the account that this run's call was placed with, as far as it is known without asking."""
        return self._entry.account_sid if self._entry and self._entry.call_sid == call_sid else None

    def why_canceled(self, call: Call) -> Reason | None:
        """Return why this run canceled its call in Twilio's queue, of which this is the end; None if it did not.

        :raises TwilioCallJournalError: where it cannot be read now
        """
        if call.status is not CallStatus.CANCELED:
            return None
        entry = self._entry or self.read()
        deadline = entry.queue_deadline if entry and entry.call_sid == call.sid else None
        return deadline.reason if deadline and deadline.has_canceled(call) else None

    def ended_by_us(self, how: HowToEnd) -> bool:
        """Write down that this task ends its call.

        :return: whether a next try will know; where there is no store, there is none that could
        """
        return self._write_who_ended_it(how)

    def not_ended_by_us(self) -> bool:
        """Write down that the call ends, or has ended, without this task after all.

        :return: as of :meth:`ended_by_us`
        """
        return self._write_who_ended_it(None)

    def _write_who_ended_it(self, how: HowToEnd | None) -> bool:
        entry = self._entry
        if entry is None:
            try:
                entry = self.read()
            except TwilioCallJournalError as error:
                logger.warning("It could not be written down who ended the call: %s", error)
                return False
        if entry is None or entry.ended_by_us == how:
            return True
        return self._write(replace(entry, ended_by_us=how))

    def _write(self, entry: Entry) -> bool:
        try:
            self._put(entry)
        except Exception as error:
            logger.warning("The journal of the call could not be written: %s", error)
            return False
        return True

    def _put(self, entry: Entry) -> None:
        if self._store is not None:
            self._store.set(KEY, entry.to_json())
        self._entry = entry

    def _sids_so_far(self) -> tuple[str, ...]:
        if self._entry is None:
            return ()
        latest = (self._entry.call_sid,) if self._entry.call_sid else ()
        return (*self._entry.earlier_sids, *latest)[-_LONGEST_MEMORY:]
