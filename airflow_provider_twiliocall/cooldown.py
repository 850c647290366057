"""The storm rule: within a cooldown a number is rung once, however many notifiers fire, wherever they run.

Notifiers share nothing but Twilio's own list of calls, so that list is what they agree by. Each waits a moment,
looks, places its call if nothing covers its alert, and looks again: a call of its own that is still queued is
canceled when an earlier one stands.

*Covers*: a call to the same number, from the same number, created within the cooldown by Twilio's clock, that is
queued, ringing, in progress or completed. A busy, failed, canceled or unanswered one reached nobody and covers
nothing.

*Earlier*: a call that has left the queue comes before every queued one, since it rings whatever anybody does.
Among queued ones the order is the second of creation, then the SID: the same for all who look.

*Never none*: whoever has canceled a call then looks at the one it gave way to, and places another if that does not
stand any more. So whatever the others do at the same moment, the last one to cancel sees how things stay, and there
is a ring. A look that fails is never a reason not to ring.

Alerts to the same number from another From do not see each other: each From has a cooldown of its own.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.ending import Ending, cancel_queued_call, end_call, through_weather
from airflow_provider_twiliocall.twilio.call import CallStatus
from airflow_provider_twiliocall.twilio.errors import TwilioError

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.client import TwilioClient

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 2.0

# Lists are taken to show a call after this long at the latest.
LONGEST_LAG_S = 3.0

# What is waited between two looks while one's own call is queued: the queue moves once a second or faster.
_PAUSE_S = 0.25

_LEFT_THE_QUEUE = frozenset({CallStatus.RINGING, CallStatus.IN_PROGRESS, CallStatus.COMPLETED})
_COVERS = _LEFT_THE_QUEUE | {CallStatus.QUEUED}

# Few calls are younger than the cooldown, but the list goes back for years.
_PAGE_SIZE = 100

# Of as many notifiers at once two place a call, where Twilio takes a tenth of the wait to answer; of fewer, no more.
_CROWD = 1000

# How long to go on trying to cancel.
_PATIENCE_S = 1.0

# Before the look at the call given way to. It sees more when the others are through too, and is in nobody's way now:
# each call that is canceled a second later may be one that rings.
_CALM_S = 1.0

# A seed set in a DAG file must not make all of them wait alike.
_random = random.SystemRandom()


def random_wait() -> float:
    """Return how many seconds to wait before looking, at most two.

    Exponentially spread, as for the feedback of multicast receivers (RFC 5740): most wait long, few hardly at all,
    so that in a crowd of whatever size one is well ahead of the next, and the rest see its call.
    """
    return max(0.0, LONGEST_WAIT_S * (1 + math.log(1 - _random.random(), _CROWD)))


def recent_calls(client: TwilioClient, *, to: str, from_: str, seconds: float) -> Iterator[Call]:
    """Yield the calls created within so many seconds by Twilio's clock, newest first.

    No filter on dates: a queued call has no start time, and there is none on the creation.
    """
    for call in client.list_calls(to=to, from_=from_, page_size=_PAGE_SIZE):
        if call.date_created is None or call.direction != "outbound-api":
            continue
        if time.time() + (client.clock_offset or 0.0) - call.date_created.timestamp() > seconds:
            return
        yield call


def covers(call: Call) -> bool:
    """Whether a call of the right age makes another one needless."""
    return call.status in _COVERS


class Cooldown:
    """The storm rule for alerts to one number from one number.

    :param lasts: how long a call covers the alerts after it
    """

    def __init__(self, client: TwilioClient, *, to: str, from_: str, lasts: timedelta) -> None:
        self._client = client
        self._to = to
        self._from = from_
        self._seconds = lasts.total_seconds()
        self._may_have_canceled = False

    @property
    def may_have_canceled(self) -> bool:
        """Whether :meth:`give_way` has set about canceling, and has not yet seen what covers the alert then."""
        return self._may_have_canceled

    def covering_call(self) -> Call | None:
        """Return a call that covers an alert of now, if there is one.

        :raises TwilioError: where Twilio's list could not be read
        """
        return next((call for call in self._recent_calls() if covers(call)), None)

    def give_way(self, own: Call, *, until: float) -> Call | None:
        """Look again while one's own call is queued, and cancel it if an earlier one stands.

        :param own: the call just placed
        :param until: when to leave it at that, by the monotonic clock
        :return: the call that covers the alert now, one's own or the earlier one; None where one's own is
            canceled and nothing covers the alert any more, so that it has to be placed again
        """
        caught_up = min(until, time.monotonic() + LONGEST_LAG_S)
        earlier: Call | None = None
        while own.status is CallStatus.QUEUED and earlier is None:
            pause = _PAUSE_S * _random.uniform(0.8, 1.2)
            if time.monotonic() + pause > caught_up:
                return own
            time.sleep(pause)
            own, earlier = self._look_again(own)
        return self._cancel(own, earlier, until) if earlier is not None else own

    def _look_again(self, own: Call) -> tuple[Call, Call | None]:
        """Return one's own call as listed, or as it was where it is not listed yet, and the earliest before it."""
        try:
            calls = list(self._recent_calls())
        except TwilioError as error:
            logger.warning("Cannot look whether another call covers the alert: %s", error)
            return own, None
        own = next((call for call in calls if call.sid == own.sid), own)
        if own.status is not CallStatus.QUEUED:
            return own, None
        earlier = [call for call in calls if covers(call) and _order(call) < _order(own)]
        return own, min(earlier, key=_order, default=None)

    def _cancel(self, own: Call, earlier: Call, until: float) -> Call | None:
        self._may_have_canceled = True
        try:
            ending = through_weather(
                lambda: self._take_back(own, earlier),
                own.sid,
                until=time.time() + _PATIENCE_S,
                pause=_PAUSE_S,
            )
            covering = None if ending.by_us else ending.call
        except TwilioError as error:
            logger.warning("Call %s may not have been canceled, and may ring: %s", own.sid, error)
            covering = None
        if covering is None:
            time.sleep(min(_CALM_S * _random.uniform(0.5, 1.5), max(0.0, until - time.monotonic())))
            covering = self._what_covers(own, earlier)
        self._may_have_canceled = False
        return covering

    def _take_back(self, own: Call, earlier: Call) -> Ending:
        if earlier.status in _LEFT_THE_QUEUE:
            # Should ours have begun to ring by now it may as well stop: the other one rings, or was answered.
            return end_call(self._client, own.sid, "cancel")
        return cancel_queued_call(self._client, own.sid)

    def _what_covers(self, canceled: Call, earlier: Call) -> Call | None:
        try:
            # By its SID: a list may lag behind.
            if covers(self._client.get_call(earlier.sid)):
                return earlier
            others = (call for call in self._recent_calls() if call.sid != canceled.sid)
            return next((call for call in others if covers(call)), None)
        except TwilioError as error:
            logger.warning("Cannot see whether call %s still stands: %s", earlier.sid, error)
            return None

    def _recent_calls(self) -> Iterator[Call]:
        return recent_calls(self._client, to=self._to, from_=self._from, seconds=self._seconds)


def _order(call: Call) -> tuple[bool, float, str]:
    created = math.inf if call.date_created is None else call.date_created.timestamp()
    return call.status not in _LEFT_THE_QUEUE, created, call.sid
