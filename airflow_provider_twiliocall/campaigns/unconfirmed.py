"""Rows of a campaign that may have been dialled, and nobody learnt the SID: finding their calls at Twilio."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import pendulum

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.look_up import (
    EARLIEST_BEFORE_SENDING_S,
    LATEST_AFTER_READING_S,
    PATIENCE_S,
    SHORT_PATIENCE_S,
    Window,
)
from airflow_provider_twiliocall.campaigns.matching import Candidate, match
from airflow_provider_twiliocall.exceptions import TwilioCallMaybePlacedError
from airflow_provider_twiliocall.journal.campaign_journal import PUT_BACK
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.errors import TwilioError
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number
from airflow_provider_twiliocall.twilio.recent_calls import recent_pages, twilio_time

if TYPE_CHECKING:
    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.campaigns.campaign_calls import CampaignCalls
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

logger = logging.getLogger(__name__)

# Rows are dialled one after the other, so those after the one that was going out have no call. While one waits for a
# list that may be behind, no more than these are asked for; at last, all are.
_MISSES_IN_A_ROW = 2

# Several rows may be unknown after an outage. More lines would hide the first ones.
_MOST_NAMED = 20

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 10.0


def longest_answer(hook: TwilioCallHook) -> float:
    """Return the seconds after which a request that was sent has been acted upon, if it ever is."""
    return hook.settings.read_timeout + LATEST_AFTER_READING_S


def longest_request(hook: TwilioCallHook) -> float:
    """Return the seconds after which a request that was begun has been acted upon, if it ever is."""
    # One connection is tried: see CampaignPlacing.
    return hook.settings.connect_timeout + longest_answer(hook)


class UnconfirmedRows:
    """Rows that were dialled one after the other, in this order, by a process that did not tell how far it came.

    :param calls: what each row asks for
    :param window: when, by Twilio's clock, their calls were created if they were
    :param taken: calls that are known to be those of other rows
    """

    def __init__(
        self,
        hook: TwilioCallHook,
        rows: Sequence[int],
        calls: CampaignCalls,
        window: Window,
        *,
        taken: Collection[str],
    ) -> None:
        self._hook = hook
        self._rows = rows
        self._calls = calls
        self._window = window
        self._taken = frozenset(taken)
        self._candidates: dict[int, list[Candidate]] = {}
        # By place, not by row.
        self._found: dict[int, str] = {}
        self._several: dict[int, list[str]] = {}

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
        gives_up = self._window.closes + patience
        pause = _FIRST_PAUSE_S
        is_told = False
        while True:
            asked_at = twilio_time(self._hook.watcher)
            is_last = asked_at >= gives_up
            fault = self._look(to_the_end=is_last)
            if not fault and len(self._found) == len(self._rows):
                break
            if is_last:
                if fault:
                    raise TwilioCallMaybePlacedError(
                        "Some calls of the campaign may have been placed without an answer, and Twilio's list cannot "
                        f"be read now ({fault}). Nobody else was dialled. A retry looks again and goes on"
                    )
                break
            if not is_told:
                is_told = True
                self._tell_of_wait(gives_up)
            clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        said = self._said(delivery)
        logger.info(
            "Of %d rows that may have been dialled before, %d have a call, %d are unknown, and %d are dialled.",
            len(said),
            len(self._found),
            said.count(Reason.UNKNOWN.value),
            said.count(PUT_BACK),
        )
        self._name_unknown(said)
        return said

    def _tell_of_wait(self, gives_up: float) -> None:
        logger.info(
            "Of %d rows that may have been dialled before, Twilio lists a call for %d so far. Its list may be behind, "
            "so it is read again until %s UTC. Nobody is dialled meanwhile.",
            len(self._rows),
            len(self._found),
            pendulum.from_timestamp(gives_up).to_datetime_string(),
        )

    def _look(self, *, to_the_end: bool) -> TwilioError | None:
        """Look once.

        :param to_the_end: whether to ask for every row, however many have no call
        """
        misses = 0
        try:
            for place, row in enumerate(self._rows):
                if place not in self._found:
                    self._candidates[place] = self._candidates_of(row)
                misses = 0 if self._candidates[place] else misses + 1
                if misses == _MISSES_IN_A_ROW and not to_the_end:
                    break
        except TwilioError as fault:
            logger.warning("Twilio's list of calls cannot be read for now: %s", fault)
            return fault
        self._found, self._several = match(self._candidates)
        return None

    def _candidates_of(self, row: int) -> list[Candidate]:
        params = self._calls.params(row)
        pages = recent_pages(
            self._hook.watcher, to=params.to, from_=params.from_ or "", since=lambda: self._window.opens
        )
        return [
            Candidate(call.date_created.timestamp(), call.sid)
            for page in pages
            for call in page
            if call.date_created
            and call.date_created.timestamp() <= self._window.closes
            and call.sid not in self._taken
        ]

    def _said(self, delivery: Delivery) -> list[str]:
        last = max((*self._found, *self._several), default=-1)
        said = []
        for place in range(len(self._rows)):
            if place in self._found:
                said.append(self._found[place])
            elif place <= last + 1 and delivery == "at_most_once":
                said.append(Reason.UNKNOWN.value)
            else:
                said.append(PUT_BACK)
        return said

    def _name_unknown(self, said: Sequence[str]) -> None:
        unknown = [place for place, each in enumerate(said) if each == Reason.UNKNOWN.value]
        for place in unknown[:_MOST_NAMED]:
            row = self._rows[place]
            named = self._calls.named(row)
            callee = redact_phone_number(self._calls.params(row).to)
            may_be = f" It may be {' or '.join(several)}." if (several := self._several.get(place)) else ""
            logger.warning(
                "%s to %s: nobody can say whether it was called. It is reported as unknown, and not called again.%s "
                "Look in Twilio's call log for a call to %s that was created from %s to %s UTC. If there is none, call "
                "this row in a run of its own.",
                f"{named[0].upper()}{named[1:]}",
                callee,
                may_be,
                callee,
                pendulum.from_timestamp(self._window.opens).to_datetime_string(),
                pendulum.from_timestamp(self._window.closes).to_datetime_string(),
            )
        if len(unknown) > _MOST_NAMED:
            logger.warning("%d more rows are unknown: see the results.", len(unknown) - _MOST_NAMED)
