"""The calls from one number to another since a moment, with as few pages of Twilio's list as possible.

Twilio's list goes back for years. It has no filter for the moment of creation, and a queued call has no start time. So
the list is read page by page until a page has nothing recent. It is not left at the first old call, because Twilio
does not promise that it lists the newest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall import clock

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.client import TwilioClient

# Usually enough.
PAGE_SIZE = 20


def recent_calls(client: TwilioClient, *, to: str, from_: str, seconds: float) -> Iterator[Call]:
    """Yield the calls created through the API within so many seconds by Twilio's clock, newest first."""
    for page in recent_pages(client, to=to, from_=from_, since=lambda: twilio_time(client) - seconds):
        yield from page


def recent_pages(
    client: TwilioClient,
    *,
    to: str,
    from_: str,
    since: Callable[[], float],
    page_size: int = PAGE_SIZE,
    **filters: Any,
) -> Iterator[list[Call]]:
    """Yield the recent calls, page by page. Stop when you have seen enough.

    :param since: returns the earliest moment of creation, a Unix time by Twilio's clock. It is called after each page,
        because Twilio's first answer says what its clock is
    :param page_size: calls a request fetches
    :param filters: more filters of :meth:`.TwilioClient.list_calls`
    :raises TwilioError: where the list cannot be read; a single call that cannot be read is left out
    """
    calls = iter(client.list_calls(to=to, from_=from_, page_size=page_size, **filters))
    while page := list(islice(calls, page_size)):
        earliest = since()
        recent = [call for call in page if call.date_created and call.date_created.timestamp() >= earliest]
        if not recent:
            return
        yield [call for call in recent if call.direction == "outbound-api"]


def twilio_time(client: TwilioClient) -> float:
    """Return the Unix time by Twilio's clock, from its answers to this client."""
    return clock.time() + (client.clock_offset or 0.0)
