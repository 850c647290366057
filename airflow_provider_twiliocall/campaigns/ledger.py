"""What a process knows of each row of a campaign: its calls, its result, whether it waits for its turn. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.campaigns.dial_queue import DialQueue
from airflow_provider_twiliocall.campaigns.results import CampaignResults, RowResult
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import is_call_sid

if TYPE_CHECKING:
    from airflow_provider_twiliocall.journal.campaign_journal import Dial


class CampaignLedger:
    """The rows of a campaign, by their index from 0.

    :param rows: how many there are
    """

    def __init__(self, rows: int) -> None:
        self.results = CampaignResults(rows)
        self.queue = DialQueue()
        self.call_sids: set[str] = set()
        """All calls of the campaign."""
        self._dials = bytearray(rows)
        # Rows whose last turn came to no further call: what became of the call before is their result.
        self._given_up: set[int] = set()

    def take_up(self, dials: Iterable[Dial], *, duplicates: Iterable[int]) -> dict[int, str]:
        """Take up what earlier processes have left; all other rows wait for their turn.

        :param dials: what came of each turn, in order
        :param duplicates: rows that are not dialled, because an earlier one has the same callee
        :return: the latest call of each row that has one
        """
        for row in duplicates:
            self._settle(row, Reason.DUPLICATE)
        latest: dict[int, str] = {}
        for dial in dials:
            if not is_call_sid(dial.said):
                if dial.row in latest:
                    self._given_up.add(dial.row)
                else:
                    self._settle(dial.row, Reason(dial.said))
                continue
            self.call_sids.add(dial.said)
            latest[dial.row] = dial.said
            self._dials[dial.row] += 1
        for row in range(len(self._dials)):
            if row not in latest and row not in self.results:
                self.queue.add_fresh(row)
        return latest

    def _settle(self, row: int, reason: Reason, to: str | None = None) -> None:
        result = RowResult.of(CallOutcome(reason), to=to, dials=self._dials[row])
        self.results.note(row, result, is_final=True)

    def dials_of(self, row: int) -> int:
        """Return how many calls were placed for a row."""
        return self._dials[row]

    def is_given_up(self, row: int) -> bool:
        """Say whether a row is dialled no more, whatever becomes of its call."""
        return row in self._given_up

    def placed(self, row: int, call_sid: str) -> None:
        """Take note of a call."""
        self._dials[row] += 1
        self.call_sids.add(call_sid)

    def drop(self, row: int, reason: Reason, to: str | None) -> None:
        """Take note that a row is dialled no more, and why.

        :param to: the whole number, where it is known
        """
        if row in self.results:
            # It was called before, and not reached: that is what became of it.
            self.results.settle(row)
        else:
            self._settle(row, reason, to)

    def has_not_rung(self, row: int, *, due: float) -> None:
        """Take note that a row's call was canceled in Twilio's queue: the row has another turn.

        :param due: Unix time
        """
        self._dials[row] -= 1
        self.queue.add(row, due)

    def ended(self, row: int, outcome: CallOutcome, *, again_at: float | None) -> None:
        """Take note of the end of a row's call.

        :param again_at: Unix time of its next turn; None for none
        """
        to = outcome.call.to if outcome.call else None
        result = RowResult.of(outcome, to=to, dials=self._dials[row])
        self.results.note(row, result, is_final=again_at is None)
        if again_at is not None:
            self.queue.add(row, again_at)
