"""How far the list of calls is read, as the pure function that it is."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.calls.list_walk import ListWalk

LONG_AGO, EARLIER, NOW = 1_000.0, 2_000.0, 3_000.0


def wanted(count: int, created_at: float | None = NOW) -> dict[str, float | None]:
    return {f"CA{number}": created_at for number in range(count)}


def others(count: int) -> list[str]:
    return [f"foreign {number}" for number in range(count)]


def test_a_single_call_is_not_looked_for_in_the_list() -> None:
    assert not ListWalk(wanted(1)).is_worth_a_page


def test_two_calls_are() -> None:
    assert ListWalk(wanted(2)).is_worth_a_page


@pytest.mark.parametrize(
    ("calls", "page_size"), [(2, 50), (5, 50), (6, 60), (99, 990), (100, 1_000), (9_999, 1_000)]
)
def test_a_page_is_no_larger_than_it_has_to_be(calls: int, page_size: int) -> None:
    assert ListWalk(wanted(calls)).page_size == page_size


def test_no_page_follows_when_all_were_shown_or_all_but_one() -> None:
    walk = ListWalk(wanted(3))
    walk.saw(["CA0", "CA1"], NOW)
    assert not walk.is_worth_a_page


def test_no_page_follows_one_that_goes_back_beyond_the_oldest_call() -> None:
    walk = ListWalk(wanted(5_000, EARLIER))
    walk.saw(["CA0"], EARLIER)
    assert walk.is_worth_a_page
    walk.saw(["CA1"], LONG_AGO)
    assert not walk.is_worth_a_page


def test_a_call_that_was_never_seen_may_be_of_any_age() -> None:
    walk = ListWalk(wanted(5_000, None))
    walk.saw(["CA0"], LONG_AGO)
    assert walk.is_worth_a_page


def test_a_page_whose_age_cannot_be_read_stops_nothing() -> None:
    walk = ListWalk(wanted(5_000, EARLIER))
    walk.saw(["CA0"], None)
    assert walk.is_worth_a_page


@pytest.mark.parametrize(("calls", "pages"), [(2, 1), (99, 1), (100, 2), (1_000, 11), (10_000, 101)])
def test_few_pages_are_spent_on_an_account_whose_list_is_full_of_others(calls: int, pages: int) -> None:
    walk = ListWalk(wanted(calls))
    while walk.is_worth_a_page:
        walk.saw(others(1_000), NOW)
    assert walk.pages == pages
    assert not walk.has_paid


def test_a_list_that_shows_more_calls_than_it_has_cost_requests_has_paid() -> None:
    walk = ListWalk(wanted(10))
    walk.saw(["CA0"], NOW)
    assert not walk.has_paid
    walk.saw(["CA1", "CA2"], NOW)
    assert walk.has_paid


def test_a_page_that_did_not_come_has_cost_its_request() -> None:
    walk = ListWalk(wanted(10))
    walk.failed()
    assert (walk.pages, walk.has_paid) == (1, False)
