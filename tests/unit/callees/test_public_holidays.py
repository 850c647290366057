"""Public holidays of countries and their parts, by the codes that people write."""

from __future__ import annotations

import datetime as dt

import pytest

from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.callees.public_holidays import public_holidays_of


@pytest.mark.parametrize(
    ("code", "day"),
    [
        ("FR", dt.date(2026, 7, 14)),
        ("FRA", dt.date(2026, 7, 14)),
        ("UK", dt.date(2026, 12, 25)),
        ("US-CA", dt.date(2026, 3, 31)),
        ("DE-BY", dt.date(2027, 1, 6)),
        ("DE-BAYERN", dt.date(2027, 1, 6)),
        ("GB-SCT", dt.date(2026, 11, 30)),
    ],
)
def test_a_country_and_a_part_of_one_have_their_days(code: str, day: dt.date) -> None:
    assert day in public_holidays_of(code)
    assert dt.date(2026, 3, 3) not in public_holidays_of(code)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("XX", "holidays='XX' is not a country whose public holidays are known"),
        ("GER", "holidays='GER' is not a country whose public holidays are known: did you mean 'DE'"),
        ("SP", "did you mean 'ES'"),
        (
            "US-XX",
            "holidays='US-XX' is not a part of US whose public holidays are known: give one of AK, AL,",
        ),
        ("DE-BAY", "is not a part of DE whose public holidays are known: did you mean 'DE-BY'"),
    ],
)
def test_a_code_that_is_not_known_is_said_with_those_like_it(code: str, hint: str) -> None:
    with pytest.raises(ValueError) as refused:
        public_holidays_of(code)
    assert hint in str(refused.value)


def test_a_missing_library_is_said_at_parse_time_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_twiliocall.callees.public_holidays.find_spec", lambda name: None)
    with pytest.raises(ValueError) as refused:
        CallWindow("09:00", "20:00", "Europe/Paris", holidays="FR")
    assert "pip install 'airflow-provider-twiliocall[holidays]'" in str(refused.value)
    assert CallWindow("09:00", "20:00", "Europe/Paris", holidays="2026-12-25").holidays
