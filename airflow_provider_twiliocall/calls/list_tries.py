"""Whether a poll of many calls tries Twilio's list, after lists that were not worth it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_twiliocall.calls.group_poll import GroupPoll

# So many polls at most without a try.
_MOST_POLLS_WITHOUT_LIST = 16


class ListTries:
    """Tries a list that was useless again after 1, 2, 4, … polls without it."""

    def __init__(self) -> None:
        self._pause = self._polls_left = 0

    @property
    def is_due(self) -> bool:
        """Whether the next poll tries the list."""
        return self._polls_left == 0

    def learn_from(self, poll: GroupPoll[Any]) -> None:
        """Take note of a poll."""
        if self._polls_left > 0:
            self._polls_left -= 1
        elif poll.was_list_useless:
            self._pause = min(2 * self._pause or 1, _MOST_POLLS_WITHOUT_LIST)
            self._polls_left = self._pause
        elif poll.was_list_useful:
            self._pause = 0
