"""The time zones that a number tells, and the numbers that tell none."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.callees.zones import zones_of


@pytest.mark.parametrize(
    ("to", "zones"),
    [
        ("+33612345678", ("Europe/Paris",)),
        ("+14155552671", ("America/Los_Angeles",)),
        ("+34612345678", ("Atlantic/Canary", "Europe/Madrid")),
    ],
)
def test_an_area_code_or_a_country_tells_the_zones(to: str, zones: tuple[str, ...]) -> None:
    assert zones_of(to) == zones


@pytest.mark.parametrize(("to", "at_least"), [("+79161234567", 10), ("+18005551234", 30)])
def test_a_mobile_of_a_wide_country_and_a_freephone_number_tell_many(to: str, at_least: int) -> None:
    assert len(zones_of(to)) >= at_least


@pytest.mark.parametrize("to", ["+15005550006", "+15005551000", "+15005559000"])
def test_the_numbers_of_twilios_tests_and_of_the_simulator_are_in_utc(to: str) -> None:
    assert zones_of(to) == ("UTC",)


@pytest.mark.parametrize(
    "to", ["+15551234567", "+870773111632", "client:ann", "sip:ann@example.com", "sip:+33612345678@trunk"]
)
def test_where_no_zone_is_known_one_is_asked_for(to: str) -> None:
    with pytest.raises(
        ValueError, match=r"timezone='callee' cannot be used for .* no time zone is known for it: name the"
    ) as refused:
        zones_of(to)
    assert to not in str(refused.value)
