"""Twilio's regions, which handle calls, and its edges, where requests enter its network.

Names as of July 2026, from Twilio's pages "Edge Locations", "Legacy Edge Location IDs" and "API domain migration
guide".
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

EDGE_OF_REGION = {"us1": "ashburn", "ie1": "dublin", "au1": "sydney"}
"""Each region, and its edge."""

# Old names of edges. Their requests have always been handled in us1.
_EDGE_OF_OLD_REGION = {
    "br1": "sao-paulo",
    "de1": "frankfurt",
    "jp1": "tokyo",
    "sg1": "singapore",
    "us2": "umatilla",
}

_EDGE_OF_ANY_REGION = {**EDGE_OF_REGION, **_EDGE_OF_OLD_REGION}
_EDGES = tuple(_EDGE_OF_ANY_REGION.values())

# Private ones, of Twilio Interconnect.
_INTERCONNECT = "-ix"

# Used to mean "the nearest one". No certificate has a host of that name.
_ANY_EDGE, _ANY_REGION = "roaming", "gll"


def check_region_and_edge(region: str | None, edge: str | None) -> list[str]:
    """Say what is wrong with a region and an edge, each with its fix; an empty list where nothing is.

    :param region: in lower case
    :param edge: in lower case
    """
    if region in _EDGES or edge in _EDGE_OF_ANY_REGION:
        return [_in_the_wrong_field(region, edge)]
    problems = [_problem_with_region(region), _problem_with_edge(edge, region)]
    return [problem for problem in problems if problem]


def check_host(host: str) -> str | None:
    """Say why a Twilio host whose name was right once does not answer; None for any other host.

    Since April 2026 a region alone is not an address, except us1.
    """
    product, *names = host.removesuffix(".twilio.com").split(".")
    if _ANY_EDGE in names:
        return f"has no certificate: give https://{product}.twilio.com, the nearest edge, or leave it empty"
    if len(names) != 1 or names[0] == "us1" or names[0] not in _EDGE_OF_ANY_REGION:
        return None
    (region,) = names
    if region in EDGE_OF_REGION:
        return (
            f"is no longer served: leave it empty, and give the extras region={region!r} and "
            f"edge={EDGE_OF_REGION[region]!r}, with that region's own login and password"
        )
    return "is no longer served: leave it empty"


def _in_the_wrong_field(region: str | None, edge: str | None) -> str:
    wrong = []
    meant_region, meant_edge = region, edge
    if region in _EDGES:
        wrong.append(f"region={region!r} is an edge")
        meant_edge = region
        meant_region = next((name for name, own in EDGE_OF_REGION.items() if own == region), "us1")
    if edge in _EDGE_OF_ANY_REGION:
        wrong.append(f"edge={edge!r} is a region")
        meant_region = edge if edge in EDGE_OF_REGION else "us1"
        meant_edge = region if region in _EDGES else _EDGE_OF_ANY_REGION[edge]
    return f"{' and '.join(wrong)}: give region={meant_region!r} and edge={meant_edge!r}"


def _problem_with_region(region: str | None) -> str | None:
    if not region or region in EDGE_OF_REGION:
        return None
    if region == _ANY_REGION:
        return f"region={region!r} means that Twilio chooses: leave it out"
    if region in _EDGE_OF_OLD_REGION:
        return (
            f"region={region!r} is not one in which Twilio handles calls (those are {_listed(EDGE_OF_REGION)}): leave "
            f"it out, for us1, and give the edge {_EDGE_OF_OLD_REGION[region]!r} if requests should enter there"
        )
    return f"region={region!r} is not a region of Twilio's: {_nearest(region, tuple(EDGE_OF_REGION))}"


def _problem_with_edge(edge: str | None, region: str | None) -> str | None:
    if not edge or edge in _EDGES or edge.endswith(_INTERCONNECT):
        return None
    if edge == _ANY_EDGE:
        instead = EDGE_OF_REGION.get(region or "us1")
        if region in (None, "", "us1") or instead is None:
            return f"edge={edge!r} means the nearest edge, which api.twilio.com stands for: leave the extra edge out"
        return f"edge={edge!r} does not go with a region: give {instead!r} for region {region!r}"
    return f"edge={edge!r} is not an edge of Twilio's: {_nearest(edge, _EDGES)}"


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"those are {_listed(known)}."
    return f"{hint} For one that is new, give the host, such as https://api.dublin.ie1.twilio.com"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def api_url(*, region: str | None = None, edge: str | None = None) -> str:
    """Return the address of Twilio's API for a region and an edge; an edge alone means region us1.

    :raises ValueError: for a region without an edge, which Twilio no longer serves
    """
    if region and not edge:
        raise ValueError(f"region={region!r} needs an edge as well: Twilio no longer serves a region alone")
    return f"https://api.{edge}.{region or 'us1'}.twilio.com" if edge else "https://api.twilio.com"
