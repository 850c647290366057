"""What the author of a campaign says of placing its calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.journal.campaign_journal import LEASE_S, LEAST_OF_LEASE_S

if TYPE_CHECKING:
    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.callees.do_not_call import DoNotCallList

MOST_ROWS_OF_A_BLOCK = 100


@dataclass(frozen=True)
class HowToPlace:
    """What the author says of placing.

    :param pace: calls a second
    :param max_queued: how many of this campaign's calls may be in Twilio's queue
    :param skips_outside_window: whether a row outside its call window is dropped instead of waiting for it
    :param do_not_call: gives the list, which may change while the campaign goes on
    """

    pace: float
    max_queued: int
    skips_outside_window: bool
    delivery: Delivery
    do_not_call: Callable[[], DoNotCallList]

    @property
    def rows_of_a_block(self) -> int:
        """As many as are placed before the journal's lease has to be renewed."""
        return min(MOST_ROWS_OF_A_BLOCK, max(1, int(self.pace * (LEASE_S - LEAST_OF_LEASE_S))))
