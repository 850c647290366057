"""Whether a callee may be rung, and when: the call window and expiry of a task, and its do-not-call list."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import pendulum

from airflow_provider_twiliocall.arguments.templated import is_blank
from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.callees.do_not_call import DoNotCallList
from airflow_provider_twiliocall.exceptions import TwilioCallNotPlacedError

# A call placed so shortly before the end would hardly ring by then. Twilio's clock, by which it is canceled while
# queued, is known to the second only.
SHORTEST_RING_S = 2.0

# Found in lists of numbers, never in the name of a Variable.
_NOT_A_NAME = re.compile(r"\+|^\s*[\[({]|\b(?:client|sips?|tel):", re.IGNORECASE)


@dataclass(frozen=True)
class DialRules:
    """The rules of one callee; all moments are Unix times.

    :param window: when the phone may ring; None for at any time
    :param expires_at: when it is too late to ring
    """

    window: CallWindow | None = None
    expires_at: float = math.inf

    @property
    def hours(self) -> str:
        """The window in few words, for people."""
        return self.window.hours if self.window else "at any time"

    def earliest_ring(self, at: float) -> float:
        """Return the first moment from this one on at which the window lets the phone ring.

        :raises ValueError: there is none within a year
        """
        if self.window is None:
            return at
        if self.window.is_open(_moment(at)):
            closes = _closing(self.window, at)
            if closes - at > SHORTEST_RING_S:
                return at
            at = closes
        return self.window.opens_after(_moment(at)).timestamp()

    def is_pointless(self, at: float) -> bool:
        """Say whether a call placed at a moment comes after the expiry."""
        return self.expires_at - at <= SHORTEST_RING_S

    def latest_ring(self, at: float) -> float:
        """Return until when a call placed at a moment may begin to ring; that moment itself if it may not."""
        if self.window is None:
            closes = math.inf
        elif self.window.is_open(_moment(at)):
            closes = _closing(self.window, at)
        else:
            closes = at
        return max(at, min(closes, self.expires_at))

    def allow(self, at: float) -> bool:
        """Say whether the phone may ring at a moment."""
        return self.latest_ring(at) - at > SHORTEST_RING_S


def read_do_not_call(value: Any, *, default_country: str | None = None) -> DoNotCallList:
    """Read a do-not-call list: numbers, text with numbers, or the name of an Airflow Variable that holds either.

    :raises ValueError: the list cannot be read, so nobody may be called
    :raises TwilioCallNotPlacedError: Airflow does not find the Variable, which may also mean that its API server is
        away
    """
    return DoNotCallList.from_value(written_do_not_call(value), default_country=default_country)


def written_do_not_call(value: Any) -> Any:
    """Return what a do-not-call list says, as it is written: that of a Variable may be another at every look.

    :raises ValueError: as :func:`read_do_not_call`
    :raises TwilioCallNotPlacedError: likewise
    """
    if not isinstance(value, str) or _has_numbers(value):
        return value
    from airflow.sdk import Variable

    name = value.strip()
    if is_blank(name):
        raise ValueError("do_not_call is empty text: give numbers or the name of a Variable, or leave it out")
    try:
        return Variable.get(name)
    except Exception as error:
        raise TwilioCallNotPlacedError(
            f"do_not_call names the Variable {name!r}, which Airflow does not find, or cannot read for the moment. "
            "Nobody is called. Create the Variable, empty if nobody is on the list"
        ) from error


def _has_numbers(text: str) -> bool:
    digits_alone = any(map(str.isdigit, text)) and not any(map(str.isalpha, text))
    return digits_alone or _NOT_A_NAME.search(text) is not None


def _closing(window: CallWindow, at: float) -> float:
    closes = window.closes_after(_moment(at))
    return math.inf if closes is None else closes.timestamp()


def _moment(at: float) -> pendulum.DateTime:
    return pendulum.from_timestamp(at)
