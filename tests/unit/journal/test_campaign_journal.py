"""The journal of a campaign: what the next try reads of it, and when a process may dial."""

from __future__ import annotations

import json

import pytest

from airflow_provider_twiliocall.exceptions import TwilioCallJournalError, TwilioCallSupersededError
from airflow_provider_twiliocall.journal.campaign_journal import LEASE_S, PUT_BACK, CampaignJournal, Dial
from tests.support.task_context import StateStore
from tests.support.turned_clock import TurnedClock

AWAY, SUPERSEDED = 0, 404


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock(1_000.0).install(monkeypatch)


@pytest.fixture
def store() -> StateStore:
    return StateStore()


def sid(number: int) -> str:
    return f"CA{number:032}"


def begun(store: StateStore, clock: TurnedClock) -> CampaignJournal:
    journal = CampaignJournal(store, 0, clock.time)
    journal.start("digest", "salt")
    return journal


def reread(store: StateStore, clock: TurnedClock) -> tuple[CampaignJournal, list[Dial] | None]:
    journal = CampaignJournal(store, 0, clock.time)
    return journal, journal.read()


def test_nothing_was_written_before_the_first_block(store: StateStore, clock: TurnedClock) -> None:
    assert reread(store, clock)[1] is None


def test_a_finished_block_is_not_in_doubt(store: StateStore, clock: TurnedClock) -> None:
    journal = begun(store, clock)
    journal.begin([0, 1, 2])
    journal.finish([sid(0), "refused", PUT_BACK])
    again, dials = reread(store, clock)
    assert dials == [Dial(0, sid(0)), Dial(1, "refused")]
    assert again.doubt is None
    assert (again.input, again.salt) == ("digest", "salt")


def test_of_a_block_that_was_begun_what_was_not_told_is_in_doubt(
    store: StateStore, clock: TurnedClock
) -> None:
    journal = begun(store, clock)
    journal.begin([4, 5, 6])
    clock.now += 7
    journal.renew([sid(4)])
    again, dials = reread(store, clock)
    assert dials == [Dial(4, sid(4))]
    assert again.doubt is not None
    assert again.doubt.rows == (5, 6)
    assert (again.doubt.since, again.doubt.until) == (1_007.0, 1_007.0 + LEASE_S)
    again.settle_doubt([sid(5), PUT_BACK])
    last, dials = reread(store, clock)
    assert dials == [Dial(4, sid(4)), Dial(5, sid(5))]
    assert last.doubt is None


def test_of_a_block_with_a_request_under_way_one_row_is_in_doubt(
    store: StateStore, clock: TurnedClock
) -> None:
    journal = begun(store, clock)
    journal.begin([0, 1, 2, 3])
    journal.narrow([sid(0)])
    again, _ = reread(store, clock)
    assert again.doubt is not None
    assert again.doubt.rows == (1,)


def test_thousands_of_dials_are_read_back_in_order(store: StateStore, clock: TurnedClock) -> None:
    journal = begun(store, clock)
    for first in range(0, 3_050, 70):
        rows = list(range(first, min(first + 70, 3_050)))
        journal.begin(rows)
        journal.finish([sid(row) for row in rows])
    again, dials = reread(store, clock)
    assert dials == [Dial(row, sid(row)) for row in range(3_050)]
    assert again.doubt is None
    assert max(len(json.dumps(value)) for value in store.values.values()) < 64_000


def test_another_campaign_does_not_read_what_is_left_of_the_first(
    store: StateStore, clock: TurnedClock
) -> None:
    journal = begun(store, clock)
    journal.begin([0, 1])
    journal.finish([sid(0), sid(1)])
    journal.start("another", "salt")
    journal.begin([0])
    again, dials = reread(store, clock)
    assert dials == []
    assert again.doubt is not None
    assert again.input == "another"


def test_a_process_may_dial_for_a_while_after_it_has_written(store: StateStore, clock: TurnedClock) -> None:
    journal = begun(store, clock)
    journal.begin([0])
    assert journal.may_dial
    clock.now += LEASE_S - 5
    assert not journal.may_dial
    journal.renew([])
    assert journal.may_dial


def test_a_process_that_has_left_lets_the_next_one_dial_at_once(
    store: StateStore, clock: TurnedClock
) -> None:
    journal = begun(store, clock)
    journal.begin([0])
    journal.finish([sid(0)])
    journal.release()
    again, _ = reread(store, clock)
    assert again.others_dial_until == 0.0


def test_a_process_that_was_replaced_is_told(store: StateStore, clock: TurnedClock) -> None:
    journal = begun(store, clock)
    store.fault = SUPERSEDED
    with pytest.raises(TwilioCallSupersededError):
        journal.begin([0])


def test_a_store_that_is_away_is_tried_again_and_then_nobody_is_dialled(
    store: StateStore, clock: TurnedClock
) -> None:
    journal = begun(store, clock)
    store.fault = AWAY
    with pytest.raises(TwilioCallJournalError, match="nobody else was dialled"):
        journal.begin([0])
    assert len(clock.slept) == 3
    with pytest.raises(TwilioCallJournalError, match="cannot be read"):
        reread(store, clock)


def test_a_clear_is_told_from_a_retry(store: StateStore, clock: TurnedClock) -> None:
    begun(store, clock).begin([0])
    cleared = CampaignJournal(store, 1, clock.time)
    cleared.read()
    assert cleared.is_cleared
    assert not reread(store, clock)[0].is_cleared


def test_without_a_store_nothing_is_kept_and_everything_may_be_dialled(clock: TurnedClock) -> None:
    journal = CampaignJournal(None, 0, clock.time)
    journal.start("digest", "salt")
    journal.begin([0])
    journal.finish([sid(0)])
    journal.release()
    assert (journal.is_kept, journal.may_dial, journal.read()) == (False, True, None)
