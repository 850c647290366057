"""Looking for a call at Twilio whose SID was lost: the answer never came, or the process died before it did.

Calls carry no label of ours. What identifies one is account, callee, caller and the second of its creation by
Twilio's clock, so what is found is "the calls it may be": one is it, several are nobody's to choose from.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.twilio.errors import TwilioError
from airflow_provider_twiliocall.twilio.recent_calls import recent_pages

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal.entry import Entry
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

# Lists may lag behind: a call that is not there yet is waited for, the longer the more a second ring matters.
PATIENCE_S = 60.0
SHORT_PATIENCE_S = 10.0

# Dates are whole seconds, and the Date header by which the clocks are compared is too.
EARLIEST_BEFORE_SENDING_S = 2.0
# A request may be on its way until we stop reading, and Twilio may take its time to act on it.
LATEST_AFTER_READING_S = 5.0

# A retry may look a day later, when many more have been placed.
_PAGE_SIZE = 100

_SHORTEST_PAUSE_S = 0.2
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True)
class Window:
    """When, by Twilio's clock, the unconfirmed call was created if it was; Unix times."""

    opens: float
    closes: float

    @classmethod
    def of(cls, entry: Entry, *, clock_offset: float | None, read_timeout: float) -> Window:
        """Reckon it from what was written down just before the request.

        :param clock_offset: seconds Twilio's clock is ahead of this machine's; used where the machine that
            dialled had not seen Twilio's clock, for most often it is this one
        """
        offset = entry.clock_offset if entry.clock_offset is not None else clock_offset or 0.0
        sent = entry.sent + offset
        return cls(sent - EARLIEST_BEFORE_SENDING_S, sent + read_timeout + LATEST_AFTER_READING_S)


class CallLookUp:
    """One search for one unconfirmed call.

    :param entry: what was written down before the request
    :param taken_sids: gives the calls that are known to be others'
    """

    def __init__(
        self,
        hook: TwilioCallHook,
        params: CreateCallParams,
        entry: Entry,
        *,
        taken_sids: Callable[[], Collection[str]],
    ) -> None:
        self._hook = hook
        self._params = params
        self._entry = entry
        self._taken_sids = taken_sids

    def find(self, *, patience: float, certain: bool) -> list[Call]:
        """Return the calls it may be, oldest first.

        A single one is returned as soon as no other can turn up any more. Otherwise it takes all the patience: where
        there are several, other tasks may still say which are theirs.

        :param patience: seconds
        :param certain: whether to go on for longer where, by then, another could still turn up
        :raises TwilioError: where Twilio's list could not be read, in the end or, unless it is to be certain, at all
        """
        give_up = clock.monotonic() + patience
        # Clocks may be set while one waits.
        at_last = give_up + self._hook.settings.read_timeout + LATEST_AFTER_READING_S
        pause = _FIRST_PAUSE_S
        found: list[Call] | None = None
        fault: TwilioError | None = None
        while True:
            asked_at = clock.time()
            try:
                found = self._look()
                # Certain is only what was asked for after the window had closed.
                is_certain = self._was_closed(asked_at)
                fault = None
            except TwilioError as error:
                if type(error) is not type(fault):
                    logger.warning("Cannot look for the call for now: %s", error)
                fault, is_certain = error, False
            if is_certain and found and len(found) == 1:
                return found
            now = clock.monotonic()
            if now >= at_last or (now >= give_up and (is_certain or not certain)):
                break
            clock.sleep(max(_SHORTEST_PAUSE_S, min(pause, give_up - clock.monotonic())))
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
        if fault is not None and (certain or found is None):
            raise fault
        return found or []

    def _look(self) -> list[Call]:
        pages = recent_pages(
            self._hook.watcher,
            to=self._params.to,
            from_=self._params.from_ or "",
            since=lambda: self._window().opens,
            page_size=_PAGE_SIZE,
        )
        calls = [call for page in pages for call in page]
        window = self._window()
        fitting = [call for call in calls if _may_be_it(call, window)]
        taken = self._taken_sids() if fitting else ()
        return sorted(
            (call for call in fitting if call.sid not in taken),
            key=lambda call: (str(call.date_created), call.sid),
        )

    def _was_closed(self, at: float) -> bool:
        return at + (self._hook.watcher.clock_offset or 0.0) >= self._window().closes

    def _window(self) -> Window:
        return Window.of(
            self._entry,
            clock_offset=self._hook.watcher.clock_offset,
            read_timeout=self._hook.settings.read_timeout,
        )


def _may_be_it(call: Call, window: Window) -> bool:
    return call.date_created is not None and window.opens <= call.date_created.timestamp() <= window.closes


def named(calls: Collection[Call]) -> str:
    """List calls for a person who has to tell them apart."""
    return ", ".join(f"{call.sid} (created {call.date_created}, {call.status})" for call in calls)
