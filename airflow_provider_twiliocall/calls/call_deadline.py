"""When a call is over whatever happens, so that nobody waits for it any longer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline

# A phone rings for `timeout` seconds (Twilio's default is 60); some of Twilio's flows add five.
DEFAULT_RING_S = 60
RING_EXTRA_S = 5

# No call lasts longer, whatever `time_limit` says.
LONGEST_CALL_S = 14_400

# For clocks that differ and answers that lag.
DEADLINE_MARGIN_S = 60


def deadline_of_call(
    queue_deadline: QueueDeadline | None,
    *,
    clock_offset: float,
    ring_timeout: int | None,
    time_limit: int | None,
) -> float:
    """Return when a call is over whatever happens, as Unix time: no wait needs to be longer, none is shorter.

    :param queue_deadline: until when the call may stay in Twilio's queue; None for ever
    :param clock_offset: seconds that Twilio's clock is ahead
    :param ring_timeout: seconds it may ring
    :param time_limit: seconds it may last
    """
    ringing = (ring_timeout or DEFAULT_RING_S) + RING_EXTRA_S
    talking = min(time_limit or LONGEST_CALL_S, LONGEST_CALL_S)
    left_queue = queue_deadline.at - clock_offset if queue_deadline else math.inf
    return left_queue + ringing + talking + DEADLINE_MARGIN_S
