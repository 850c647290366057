"""Rows of a campaign that may have been dialled, and nobody learnt the SID: finding their calls at Twilio."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.look_up import (
    EARLIEST_BEFORE_SENDING_S,
    LATEST_AFTER_READING_S,
    PATIENCE_S,
    SHORT_PATIENCE_S,
    Window,
)
from airflow_provider_twiliocall.exceptions import TwilioCallMaybePlacedError
from airflow_provider_twiliocall.journal.campaign_journal import PUT_BACK
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.errors import TwilioError
from airflow_provider_twiliocall.twilio.recent_calls import recent_pages, twilio_time

if TYPE_CHECKING:
    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

# Rows are dialled one after the other, so those after the one that was going out have no call. One more is looked at,
# for a list that is behind.
_MISSES_IN_A_ROW = 2

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 10.0


def longest_request(hook: TwilioCallHook) -> float:
    """Return the seconds after which a request that was begun has been sent or given up, and acted upon."""
    # Three connections are tried, with short pauses.
    return 3 * hook.settings.connect_timeout + 2.0 + hook.settings.read_timeout + LATEST_AFTER_READING_S


class UnconfirmedRows:
    """Rows that were dialled one after the other, in this order, by a process that did not tell how far it came.

    :param params: returns the parameters of a row's call
    :param window: when, by Twilio's clock, their calls were created if they were
    :param taken: calls that are known to be those of other rows
    """

    def __init__(
        self,
        hook: TwilioCallHook,
        rows: Sequence[int],
        params: Callable[[int], CreateCallParams],
        window: Window,
        *,
        taken: Collection[str],
    ) -> None:
        self._hook = hook
        self._rows = rows
        self._params = params
        self._window = window
        self._taken = set(taken)
        self._found: dict[int, str] = {}

    @classmethod
    def window(cls, *, since: float, until: float) -> Window:
        """Return when a request may have created a call that was sent between two moments by Twilio's clock."""
        return Window(since - EARLIEST_BEFORE_SENDING_S, until)

    def look_until_certain(self, delivery: Delivery) -> list[str]:
        """Look for their calls, and wait for a list that may be behind; return what there is to say of each row.

        :return: for each row the SID of its call; or that nobody can say whether it was dialled, which with
            ``at_least_once`` means that it is dialled again; or :data:`.PUT_BACK` for one that was not dialled
        :raises TwilioCallMaybePlacedError: Twilio's list cannot be read now; a retry looks again
        """
        patience = PATIENCE_S if delivery == "at_most_once" else SHORT_PATIENCE_S
        pause = _FIRST_PAUSE_S
        while True:
            asked_at = twilio_time(self._hook.client)
            fault = self._look()
            if not fault and len(self._found) == len(self._rows):
                break
            if asked_at >= self._window.closes + patience:
                if fault:
                    raise TwilioCallMaybePlacedError(
                        "Some calls of the campaign may have been placed without an answer, and Twilio's list cannot "
                        f"be read now ({fault}). Nobody else was dialled. A retry looks again and goes on"
                    )
                break
            clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        said = self._said(delivery)
        unknown = said.count(Reason.UNKNOWN.value)
        logger.warning(
            "Of %d rows that may have been dialled before, %d have a call, and of %d nobody can say it.",
            len(self._rows),
            len(self._found),
            unknown,
        )
        return said

    def _look(self) -> TwilioError | None:
        misses = 0
        try:
            for row in self._rows:
                if row not in self._found and not self._find(row):
                    misses += 1
                    if misses == _MISSES_IN_A_ROW:
                        break
                else:
                    misses = 0
        except TwilioError as fault:
            logger.warning("Cannot look for calls of the campaign for now: %s", fault)
            return fault
        return None

    def _find(self, row: int) -> bool:
        params = self._params(row)
        pages = recent_pages(
            self._hook.watcher, to=params.to, from_=params.from_ or "", since=lambda: self._window.opens
        )
        created = sorted(
            (call.date_created.timestamp(), call.sid)
            for page in pages
            for call in page
            if call.date_created and call.date_created.timestamp() <= self._window.closes
        )
        mine = next((sid for _, sid in created if sid not in self._taken), None)
        if mine is None:
            return False
        self._taken.add(mine)
        self._found[row] = mine
        return True

    def _said(self, delivery: Delivery) -> list[str]:
        last_found = max((place for place, row in enumerate(self._rows) if row in self._found), default=-1)
        said = []
        for place, row in enumerate(self._rows):
            if row in self._found:
                said.append(self._found[row])
            elif place <= last_found + 1 and delivery == "at_most_once":
                said.append(Reason.UNKNOWN.value)
            else:
                said.append(PUT_BACK)
        return said
