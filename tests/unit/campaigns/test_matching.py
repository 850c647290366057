"""Which call is which row's, by the order in which both were made."""

from __future__ import annotations

from airflow_provider_twiliocall.campaigns.matching import Candidate, match


def test_each_row_gets_its_call() -> None:
    assert match({0: [Candidate(1, "a")], 1: [Candidate(1, "b")], 2: []}) == ({0: "a", 1: "b"}, {})


def test_a_call_before_the_one_of_an_earlier_row_is_a_strangers() -> None:
    candidates = {
        0: [Candidate(10, "a")],
        1: [Candidate(3, "stranger"), Candidate(11, "b")],
        2: [Candidate(12, "c")],
    }
    assert match(candidates) == ({0: "a", 1: "b", 2: "c"}, {})


def test_a_call_after_the_one_of_a_later_row_is_a_strangers() -> None:
    candidates = {0: [Candidate(10, "a"), Candidate(13, "stranger")], 1: [Candidate(12, "b")]}
    assert match(candidates) == ({0: "a", 1: "b"}, {})


def test_a_lone_call_out_of_order_belongs_to_nobody() -> None:
    candidates = {0: [Candidate(10, "a")], 1: [Candidate(11, "b")], 40: [Candidate(2, "stranger")]}
    assert match(candidates) == ({0: "a", 1: "b"}, {})


def test_where_the_order_does_not_tell_both_are_named() -> None:
    candidates = {0: [Candidate(10, "a")], 1: [Candidate(11, "b"), Candidate(15, "or this")]}
    assert match(candidates) == ({0: "a"}, {1: ["b", "or this"]})


def test_a_callee_in_two_rows_has_two_calls_in_their_order() -> None:
    twice = [Candidate(10, "first"), Candidate(12, "second")]
    assert match({0: twice, 1: [Candidate(11, "b")], 2: twice}) == ({0: "first", 1: "b", 2: "second"}, {})
    assert match({0: twice, 1: twice}) == ({0: "first", 1: "second"}, {})
    once = twice[:1]
    assert match({0: once, 1: once}) == ({0: "first"}, {})


def test_calls_of_the_same_second_are_told_apart_by_their_rows() -> None:
    twice = [Candidate(10, "x"), Candidate(10, "y")]
    found, several = match({0: twice, 1: twice})
    assert (sorted(found.values()), several) == (["x", "y"], {})


def test_a_whole_block_is_matched() -> None:
    calls = {place: [Candidate(place, f"own {place}"), Candidate(99 - place, "x")] for place in range(100)}
    assert len(match(calls)[0]) >= 98
