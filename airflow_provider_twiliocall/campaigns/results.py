"""What became of each row of a campaign, and of all of them together."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number

if TYPE_CHECKING:
    from airflow_provider_twiliocall.calls.outcome import CallOutcome

# Nobody meant these rows to be rung, or not any more: they say nothing about how many people were reached.
NOT_MEANT = frozenset({Reason.DO_NOT_CALL, Reason.TOO_LATE, Reason.OUTSIDE_WINDOW, Reason.DUPLICATE})


@dataclass(frozen=True)
class RowResult:
    """What became of one row: of its last call, where there was one.

    :param dials: how many calls were placed for it
    :param price: what its last call has cost, as far as Twilio says it, as text; below zero, as Twilio writes it
    """

    __slots__ = ("answered_by", "call_sid", "dials", "duration", "price", "price_unit", "reason", "to")

    reason: Reason
    to: str | None
    dials: int
    call_sid: str | None
    answered_by: str | None
    duration: int | None
    price: str | None
    price_unit: str | None

    @classmethod
    def of(cls, outcome: CallOutcome, *, to: str | None, dials: int) -> RowResult:
        """Make it of the outcome of a call, or of the wish for one.

        :param to: the whole number, where it is known
        """
        call = outcome.call
        shown = None if to is None else redact_phone_number(to)
        if call is None:
            return cls(outcome.reason, shown, dials, outcome.call_sid, None, None, None, None)
        return cls(
            outcome.reason,
            shown,
            dials,
            call.sid,
            call.answered_by and str(call.answered_by),
            call.duration,
            None if call.price is None else str(call.price),
            call.price_unit,
        )


class CampaignResults:
    """The results so far, by the index of the row."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._results: dict[int, RowResult] = {}
        self._final: set[int] = set()

    def __contains__(self, row: int) -> bool:
        return row in self._results

    def __getitem__(self, row: int) -> RowResult:
        return self._results[row]

    def note(self, row: int, result: RowResult, *, is_final: bool) -> None:
        """Take note of a result.

        :param is_final: whether the row is dialled no more
        """
        self._results[row] = result
        if is_final:
            self._final.add(row)

    def settle(self, row: int) -> None:
        """Take note that a row is dialled no more, and its latest result is the last."""
        self._final.add(row)

    def are_final(self, rows: range) -> bool:
        """Say whether none of these rows is dialled any more."""
        return self._final.issuperset(rows)

    @property
    def final(self) -> int:
        """How many rows are dialled no more."""
        return len(self._final)

    def counts(self) -> Counter[str]:
        """Count the rows by what became of them."""
        return Counter(self._results[row].reason.value for row in self._final)

    @property
    def placed(self) -> int:
        """How many calls were placed, those that are over."""
        return sum(result.dials for result in self._results.values())

    @property
    def share_unreached(self) -> float:
        """Which part of the people who were meant was not reached, from 0 to 1."""
        meant = [result for result in self._results.values() if result.reason not in NOT_MEANT]
        unreached = sum(result.reason is not Reason.COMPLETED for result in meant)
        return unreached / len(meant) if meant else 0.0

    def summary(self) -> dict[str, Any]:
        """Return counts and cost as JSON.

        ``cost`` is by currency, of the last call of each row; Twilio tells a price some minutes after a call.
        """
        counts = self.counts()
        costs: defaultdict[str, Decimal] = defaultdict(Decimal)
        unpriced = 0
        for result in self._results.values():
            try:
                costs[str(result.price_unit or "USD").upper()] -= Decimal(result.price or "")
            except InvalidOperation:
                unpriced += result.call_sid is not None
        return {
            "rows": self.rows,
            "placed": self.placed,
            "reached": counts[Reason.COMPLETED.value],
            "share_unreached": self.share_unreached,
            "outcomes": dict(sorted(counts.items())),
            "cost": {unit: str(cost) for unit, cost in sorted(costs.items()) if cost},
            "without_price": unpriced,
        }
