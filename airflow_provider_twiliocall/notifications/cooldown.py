"""The storm rule: within a cooldown a number is rung once, however many notifiers fire, wherever they run.

Notifiers agree by Twilio's own list of calls. Each waits a moment, looks, places its call if nothing covers its alert,
and looks again: a call of its own that is still queued is canceled when an earlier one stands.

*Covers*: a call to the same number, from the same number, created within the cooldown by Twilio's clock, that is
queued, ringing, in progress or completed, and was placed by an alert as far as is known. A busy, failed, canceled or
unanswered one reached nobody and covers nothing.

*Placed by an alert*: the list does not say so, and a record of it is kept elsewhere. It is asked for calls of a certain
age only: the record of a younger one may still be on its way, and a storm is over by then. Where it does not answer,
every call is taken for that of an alert.

*Earlier*: a call that has left the queue comes before every queued one, since it rings whatever anybody does.
Among queued ones the order is the second of creation, then the SID: the same for all who look.

*Never none*: whoever has canceled a call then looks at the one it gave way to, and places another if that does not
stand any more. So whatever the others do at the same moment, the last one to cancel sees how things stay, and there
is a ring. Only for a call that has left the queue this look may fail: nobody cancels such a call but for an older
one that has left it too. Any other look that fails is a reason to ring.

*Little is asked*: where lists lag, hundreds have a call in the queue before anybody sees one, and another call leaves
with every second until all but one are canceled. So a look reads no more than it must, and between the first and the
last it asks for nothing but calls that have left the queue. Each alert takes some seven small requests then.

Alerts to the same number from another From do not see each other: each From has a cooldown of its own.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.twilio.call import CallStatus
from airflow_provider_twiliocall.twilio.ending import cancel_queued_call, end_call, retry_until
from airflow_provider_twiliocall.twilio.errors import TwilioError
from airflow_provider_twiliocall.twilio.recent_calls import PAGE_SIZE, recent_pages, twilio_time

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.client import TwilioClient

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 2.0

# Lists are taken to show a call after this long at the latest.
LONGEST_LAG_S = 3.0

# What is waited before the first look while one's own call is queued: where lists are up to date it settles things
# before the queue, which moves once a second or faster, lets another call go …
_FIRST_PAUSE_S = 0.25
# … and between the later ones. Where lists lag, hundreds look at once at ones that show nothing yet, and are in the
# way of those that see something and cancel.
_PAUSE_S = 0.5

# Calls up to this age are taken for those of alerts, without asking.
_YOUNG_S = 60.0
# The record is asked about so many calls. Others do not cover: a ring too many is better than none.
_MOST_ASKED_FOR = 10

_LEFT_THE_QUEUE = frozenset({CallStatus.RINGING, CallStatus.IN_PROGRESS, CallStatus.COMPLETED})
_COVERS = _LEFT_THE_QUEUE | {CallStatus.QUEUED}

# Of as many notifiers at once two place a call, where Twilio takes a tenth of the wait to answer; of fewer, no more.
_CROWD = 1000

# How long to go on trying to cancel.
_PATIENCE_S = 1.0

# Before the look at the call given way to. It sees more when the others are through too, and is in nobody's way now:
# each call that is canceled a second later may be one that rings.
_CALM_S = 1.0

# A seed set in a DAG file must not make all of them wait alike.
chance: random.Random = random.SystemRandom()
"""What spreads alerts over time; tests replace it here."""


def random_wait() -> float:
    """Return how many seconds to wait before looking, at most two.

    Exponentially spread, as for the feedback of multicast receivers (RFC 5740): most wait long, few hardly at all,
    so that in a crowd of whatever size one is well ahead of the next, and the rest see its call.
    """
    return max(0.0, LONGEST_WAIT_S * (1 + math.log(1 - chance.random(), _CROWD)))


def covers(call: Call) -> bool:
    """Whether an alert's call of the right age makes another one needless."""
    return call.status in _COVERS


class Cooldown:
    """The storm rule for alerts to one number from one number.

    :param lasts: how long a call covers the alerts after it
    :param placed_by_alert: whether an alert has placed the call with this SID; None where that is not known
    """

    def __init__(
        self,
        client: TwilioClient,
        *,
        to: str,
        from_: str,
        lasts: timedelta,
        placed_by_alert: Callable[[str], bool | None] = lambda call_sid: None,
    ) -> None:
        self._client = client
        self._placed_by_alert = placed_by_alert
        self._answers: dict[str, bool | None] = {}
        self._to = to
        self._from = from_
        self._seconds = lasts.total_seconds()
        self._may_have_canceled = False
        self._rings_anyway: Call | None = None

    def as_far_as_known(self, own: Call) -> Call | None:
        """Return what covers the alert where :meth:`give_way` was not waited for; None where it may be nothing."""
        return self._rings_anyway if self._may_have_canceled else own

    def covering_call(self) -> Call | None:
        """Return a call that covers an alert of now, if there is one.

        :raises TwilioError: where Twilio's list could not be read
        """
        return next((call for page in self._all() for call in page if self._covers(call)), None)

    def calls_before(self, seconds: float) -> Iterator[Call]:
        """Yield calls of so many seconds before the cooldown, newest first, as far as Twilio's first page has them.

        :raises TwilioError: where Twilio's list could not be read
        """
        begins = self._earliest()
        pages = recent_pages(self._client, to=self._to, from_=self._from, since=lambda: begins - seconds)
        return (
            call for call in next(pages, []) if call.date_created and call.date_created.timestamp() < begins
        )

    def give_way(self, own: Call, *, until: float) -> Call | None:
        """Look again while one's own call is queued, and cancel it if an earlier one stands.

        :param own: the call just placed
        :param until: when to leave it at that, by the monotonic clock
        :return: the call that covers the alert now, one's own or the earlier one; None where one's own is
            canceled and nothing covers the alert any more, so that it has to be placed again
        """
        caught_up = min(until, clock.monotonic() + LONGEST_LAG_S)
        look, pause = self._all, _FIRST_PAUSE_S
        while True:
            clock.sleep(max(0.0, min(pause * chance.uniform(0.8, 1.2), caught_up - clock.monotonic())))
            started = clock.monotonic()
            is_last = started >= caught_up
            seen = self._look_again(own, self._all() if is_last else look())
            if seen.earlier is not None and clock.monotonic() < until:
                return self._cancel(seen, seen.earlier, until)
            if is_last or seen.own.status is not CallStatus.QUEUED:
                return seen.own
            # In between only for those that ring: the first look has shown the queued ones or, where lists lag, the
            # last one shows them. And where answers are slow the pauses grow with them.
            look, pause = self._out_of_the_queue, max(_PAUSE_S, clock.monotonic() - started)

    def _look_again(self, own: Call, pages: Iterator[list[Call]]) -> _Seen:
        """Read on until there is one that is earlier: who gives way to it sees to the rest."""
        seen = _Seen(own)
        try:
            for page in pages:
                listed = next((call for call in page if call.sid == own.sid), None)
                seen = _Seen(listed or seen.own, is_listed=listed is not None)
                if seen.own.status is not CallStatus.QUEUED:
                    break
                before = (call for call in page if _order(call) < _order(seen.own))
                earlier = [call for call in before if self._covers(call)]
                if earlier:
                    return replace(seen, earlier=min(earlier, key=_order))
        except TwilioError as error:
            logger.warning("Cannot look whether another call covers the alert: %s", error)
        return seen

    def _cancel(self, seen: _Seen, earlier: Call, until: float) -> Call | None:
        own = seen.own
        has_left = earlier.status in _LEFT_THE_QUEUE
        if has_left and _creation(earlier) < _creation(own):
            # It will not be canceled for the sake of ours, should ours have left too.
            self._rings_anyway = earlier
        # Should ours have begun to ring by now it may as well stop …
        at_once = has_left and (self._rings_anyway is not None or seen.is_listed)
        self._may_have_canceled = True
        try:
            ending = retry_until(
                lambda: (
                    end_call(self._client, own.sid, "cancel")
                    if at_once
                    # … or it has to be seen first.
                    else cancel_queued_call(self._client, self._client.get_call(own.sid))
                ),
                own.sid,
                until=clock.time() + _PATIENCE_S,
                pause=_PAUSE_S,
            )
            covering = None if ending.by_us else ending.call
        except TwilioError as error:
            logger.warning("Call %s may not have been canceled, and may ring: %s", own.sid, error)
            covering = None
        if covering is None:
            clock.sleep(min(_CALM_S * chance.uniform(0.5, 1.5), max(0.0, until - clock.monotonic())))
            covering = self._what_covers(own, earlier)
        self._may_have_canceled = False
        return covering

    def _what_covers(self, canceled: Call, earlier: Call) -> Call | None:
        try:
            # By its SID: a list may lag behind.
            if covers(self._client.get_call(earlier.sid)):
                return earlier
            others = (call for page in self._all() for call in page if call.sid != canceled.sid)
            return next((call for call in others if self._covers(call)), None)
        except TwilioError as error:
            logger.warning("Cannot see whether call %s still stands: %s", earlier.sid, error)
            return self._rings_anyway

    def _covers(self, call: Call) -> bool:
        if not covers(call):
            return False
        if call.date_created and call.date_created.timestamp() >= twilio_time(self._client) - _YOUNG_S:
            return True
        if call.sid not in self._answers:
            asked_enough = len(self._answers) >= _MOST_ASKED_FOR
            self._answers[call.sid] = False if asked_enough else self._placed_by_alert(call.sid)
        return self._answers[call.sid] is not False

    # Looking ----------------------------------------------------------------------------------------------

    def _all(self) -> Iterator[list[Call]]:
        """Yield the recent calls, page by page, some of them twice; whoever has seen enough reads no further."""
        pages = self._recent_pages()
        newest = next(pages, [])
        if len(newest) == PAGE_SIZE:
            # So many are a storm, and what has left the queue in it is far down the list.
            yield from self._out_of_the_queue()
        yield newest
        yield from pages

    def _out_of_the_queue(self) -> Iterator[list[Call]]:
        """Yield the recent calls that have left the queue, page by page; in a storm these are few."""
        since = datetime.fromtimestamp(self._earliest(), timezone.utc)
        return self._recent_pages(start_time_after=since)

    def _recent_pages(self, **filters: Any) -> Iterator[list[Call]]:
        return recent_pages(self._client, to=self._to, from_=self._from, since=self._earliest, **filters)

    def _earliest(self) -> float:
        return twilio_time(self._client) - self._seconds


@dataclass(frozen=True)
class _Seen:
    """What a look showed.

    :param own: one's own call as listed, or as it was where it is not
    :param is_listed: whether the page that shows ``earlier`` shows one's own too
    :param earlier: a call that is before it, and covers
    """

    own: Call
    is_listed: bool = False
    earlier: Call | None = None


def _order(call: Call) -> tuple[bool, float, str]:
    return call.status not in _LEFT_THE_QUEUE, *_creation(call)


def _creation(call: Call) -> tuple[float, str]:
    return math.inf if call.date_created is None else call.date_created.timestamp(), call.sid
