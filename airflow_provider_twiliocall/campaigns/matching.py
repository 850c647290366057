"""Which call in Twilio's list is which row's: rows are dialled one after the other, and so are their calls created.

Calls carry no label of ours. What tells one from a stranger's call between the same two numbers is its place in that
order. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Candidate(NamedTuple):
    """A call that may be a row's.

    :param created: by Twilio's clock, as Unix time
    """

    created: float
    sid: str


class _Pick(NamedTuple):
    place: int
    call: Candidate


def match(candidates: Mapping[int, Sequence[Candidate]]) -> tuple[dict[int, str], dict[int, list[str]]]:
    """Give each row its call: as many rows as go together with the order, the first ones before later ones.

    :param candidates: the calls that may be a row's, by the row's place in the order of dialling
    :return: the SID of each place that has one; and where several would do, all of them instead
    """
    picked = _longest(candidates)
    taken = {pick.call.sid for pick in picked}
    found: dict[int, str] = {}
    several: dict[int, list[str]] = {}
    for index, pick in enumerate(picked):
        opens = picked[index - 1].call.created if index else float("-inf")
        closes = picked[index + 1].call.created if index + 1 < len(picked) else float("inf")
        others = [
            call.sid
            for call in sorted(candidates[pick.place])
            if call.sid not in taken and opens <= call.created <= closes
        ]
        if others:
            several[pick.place] = [pick.call.sid, *others]
        else:
            found[pick.place] = pick.call.sid
    return found, several


def _longest(candidates: Mapping[int, Sequence[Candidate]]) -> tuple[_Pick, ...]:
    """Return the most calls that were created in the order of their places; of equals, those of the first places."""
    chains: list[tuple[_Pick, ...]] = []
    for place in sorted(candidates):
        added = []
        for call in sorted(set(candidates[place])):
            fitting = [
                chain
                for chain in chains
                if chain[-1].call.created <= call.created and all(each.call != call for each in chain)
            ]
            added.append((*max(fitting, key=_worth, default=()), _Pick(place, call)))
        chains += added
    return max(chains, key=_worth, default=())


def _worth(chain: tuple[_Pick, ...]) -> tuple[int, list[tuple[int, float]]]:
    return len(chain), [(-pick.place, -pick.call.created) for pick in chain]
