"""Public holidays of countries and of their parts, from the library ``holidays``, which is an extra of this package."""

from __future__ import annotations

from collections.abc import Container
from datetime import date
from functools import cache
from importlib.util import find_spec

INSTALL = "pip install 'airflow-provider-twiliocall[holidays]'"


def check_installed(code: str) -> None:
    """Refuse a country if the library is missing. This does not load the library.

    :raises ValueError: says how to install it; starts with the code
    """
    if find_spec("holidays") is None:
        raise ValueError(
            f"{code!r} is a country, and the library with its public holidays is not installed: {INSTALL}, "
            "or list the dates"
        )


@cache
def public_holidays_of(code: str) -> Container[date]:
    """Return the public holidays of a country (``FR``) or of a part of one (``US-CA``), whatever the year.

    Each year is computed when a day of it is asked for.

    :param code: ISO 3166
    :raises ValueError: the library does not know it; the message has similar ones
    """
    try:
        check_installed(code)
    except ValueError as error:
        raise ValueError(f"holidays={error}") from None
    # Imported here: it takes a third of a second to load.
    from holidays import country_holidays

    name, _, part = code.partition("-")
    country = _countries().get(name.casefold())
    if country is None:
        nearest = _like(name, _countries())
        raise ValueError(
            f"holidays={code!r} is not a country whose public holidays are known: "
            + (f"did you mean {_listed(nearest)}?" if nearest else "give a code of ISO 3166, such as 'FR'")
        )
    if not part:
        return country_holidays(country)
    parts = _parts_of(country)
    if part.casefold() not in parts:
        near = _like(part, parts)
        raise ValueError(
            f"holidays={code!r} is not a part of {country} whose public holidays are known: "
            + (
                f"did you mean {_listed([f'{country}-{name}' for name in near])}?"
                if near
                else f"give one of {', '.join(sorted(set(parts.values()))) or 'none'}, or {country!r} alone"
            )
        )
    return country_holidays(country, subdiv=parts[part.casefold()])


@cache
def _countries() -> dict[str, str]:
    """Return the names of each country, case folded, and its code."""
    from holidays.registry import COUNTRIES

    named = {module.replace("_", " "): codes[1] for module, codes in COUNTRIES.items()}
    return named | {code.casefold(): codes[1] for codes in COUNTRIES.values() for code in codes[1:]}


def _parts_of(country: str) -> dict[str, str]:
    """Return the names of each part of a country, case folded, and its code."""
    from holidays import country_holidays

    known = country_holidays(country)
    parts = {code.casefold(): code for code in known.subdivisions}
    names: dict[str, str] = getattr(known, "subdivisions_aliases", {})
    return {name.casefold(): code for name, code in names.items()} | parts


def _like(wanted: str, known: dict[str, str]) -> list[str]:
    from difflib import get_close_matches

    wanted = wanted.casefold()
    begun = sorted(name for name in known if len(wanted) > 1 and name.startswith(wanted))
    near = get_close_matches(wanted, known, n=3, cutoff=0.6)
    return list(dict.fromkeys(known[name] for name in [*begun, *near]))[:3]


def _listed(names: list[str]) -> str:
    return " or ".join(map(repr, names))
