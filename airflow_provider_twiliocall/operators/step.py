"""One of the calls that a task may place, one after the other; and what can come after it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.params import CreateCallParams


@dataclass(frozen=True)
class Step:
    """A call that is due.

    :param number: from 0
    :param params: complete, with the number to call from
    :param latest_ring: Unix time after which the call must not begin to ring any more
    """

    number: int
    params: CreateCallParams
    latest_ring: float = math.inf


class Next(Enum):
    """What to do after a call, or after none came of a step."""

    SUCCEED = "succeed"
    DIAL = "dial"
    """This try takes the next step, if its rules allow one."""
    RETRY = "retry"
    """The task fails, and a retry of it dials."""
    GIVE_UP = "give up"
    """The task fails for good."""
