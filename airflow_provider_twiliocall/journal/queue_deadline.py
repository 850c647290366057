"""Until when a call may stay in Twilio's queue: reckoned once, when the call is placed, and handed along from there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import CallStatus

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.call import Call

# Dates are whole seconds, and the clock that they are compared by is known to the second.
CLOCK_SLACK_S = 2.0


@dataclass(frozen=True, order=True)
class QueueDeadline:
    """The moment at which a call that is still in Twilio's queue is canceled, by whoever waits for it.

    :param at: Unix time, by Twilio's clock
    :param reason: why a call is over that was canceled then: QUEUE_TIMEOUT or WINDOW_CLOSED
    """

    at: float
    reason: Reason = Reason.QUEUE_TIMEOUT

    @classmethod
    def of(
        cls, call: Call | None, *, now: float, queue_timeout: float, latest_ring: float, clock_offset: float
    ) -> QueueDeadline | None:
        """Reckon it; None where the call may stay for ever.

        :param call: as Twilio has shown it; None where it could not be seen, which is taken for a call of just now
        :param now: Unix time
        :param queue_timeout: seconds it may stay there
        :param latest_ring: Unix time after which it must not begin to ring any more
        :param clock_offset: seconds that Twilio's clock is ahead
        """
        created = call.date_created.timestamp() if call and call.date_created else now + clock_offset
        earliest = min(
            cls(created + queue_timeout, Reason.QUEUE_TIMEOUT), cls(latest_ring, Reason.WINDOW_CLOSED)
        )
        return None if math.isinf(earliest.at) else earliest

    def has_canceled(self, call: Call) -> bool:
        """Whether a call of which this is the end was canceled because its time was up.

        For whoever was not told, because the news of the one who did it was lost. By Twilio's dates, so a cancellation
        by somebody else in those seconds counts as well, but for one of a call that was ringing.
        """
        canceled_at = call.end_time or call.date_updated
        if call.status is not CallStatus.CANCELED or canceled_at is None:
            return False
        return call.start_time is None and canceled_at.timestamp() >= self.at - CLOCK_SLACK_S

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> QueueDeadline | None:
        """Read what :meth:`to_json` wrote, or nothing."""
        return cls(value["at"], Reason(value["reason"])) if value else None

    def to_json(self) -> dict[str, Any]:
        """Return it for the journal, and for a trigger's arguments."""
        return {"at": self.at, "reason": self.reason.value}
