"""How far to read Twilio's list of calls for those that are waited for. No I/O.

A page costs one request, and so does a look at a single call. So a page is worth it as long as it may show two calls or
more. Where the list does not show them, because others place so many calls on the account, few pages are spent on that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from airflow_provider_twiliocall.twilio.call_list import LARGEST_PAGE

# A page has room for so many times as many calls as are looked for: those of others are in between.
_ROOM_FOR_OTHERS = 10
_SMALLEST_PAGE = 50

# Of the calls looked for: so many of the requests may be pages that show none of them.
_SHARE_FOR_NOTHING = 100


class ListWalk:
    """Says after each page whether to fetch another.

    :param wanted: the SIDs of the calls looked for, each with the Unix time of its creation, None where that is unknown
    """

    def __init__(self, wanted: Mapping[str, float | None]) -> None:
        self._unseen = {
            sid: -math.inf if created_at is None else created_at for sid, created_at in wanted.items()
        }
        self._wanted = len(wanted)
        self._pages_for_nothing = 0
        self._oldest_listed = math.inf
        self.pages = 0

    @property
    def page_size(self) -> int:
        """How many calls a page lists: a thousand, or fewer where few are looked for, since each takes some 1.5 KB."""
        return min(max(_SMALLEST_PAGE, _ROOM_FOR_OTHERS * self._wanted), LARGEST_PAGE)

    @property
    def is_worth_a_page(self) -> bool:
        """Whether the next page is likely to show more than its one request would by a look at a single call."""
        allowed = min(1 + self._wanted // _SHARE_FOR_NOTHING, len(self._unseen))
        if len(self._unseen) < 2 or self._pages_for_nothing >= allowed:
            return False
        return min(self._unseen.values()) <= self._oldest_listed

    @property
    def has_paid(self) -> bool:
        """Whether the pages have shown more calls than they have cost requests."""
        return self._wanted - len(self._unseen) > self.pages

    def saw(self, sids: Iterable[str], oldest: float | None) -> None:
        """Take note of a page.

        :param sids: what it lists
        :param oldest: Unix time at which the last call on it was created; None where that cannot be read
        """
        unseen = len(self._unseen)
        for sid in sids:
            self._unseen.pop(sid, None)
        self.pages += 1
        self._pages_for_nothing += len(self._unseen) == unseen
        if oldest is not None:
            self._oldest_listed = oldest

    def failed(self) -> None:
        """Take note of a page that was asked for and did not come."""
        self.pages += 1
