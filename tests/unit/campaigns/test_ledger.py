"""What a process takes up of what earlier ones have left."""

from __future__ import annotations

from airflow_provider_twiliocall.campaigns.ledger import CampaignLedger
from airflow_provider_twiliocall.journal.campaign_journal import Dial
from airflow_provider_twiliocall.journal.reason import Reason

FIRST, SECOND, THIRD = ("CA" + digit * 32 for digit in "123")


def test_rows_that_were_called_are_waited_for_and_the_others_wait_for_their_turn() -> None:
    ledger = CampaignLedger(4)
    dials = [Dial(0, FIRST), Dial(1, "refused"), Dial(0, SECOND)]
    assert ledger.take_up(dials, duplicates=[3]) == {0: SECOND}
    assert ledger.dials_of(0) == 2
    assert ledger.results.counts() == {"refused": 1, "duplicate": 1}
    assert ledger.queue.take(9, 0.0) == [2]
    assert ledger.call_sids == {FIRST, SECOND}


def test_a_row_that_had_a_call_and_then_none_keeps_what_became_of_its_call() -> None:
    ledger = CampaignLedger(1)
    assert ledger.take_up([Dial(0, FIRST), Dial(0, "too late")], duplicates=[]) == {0: FIRST}
    assert ledger.is_given_up(0)
    assert 0 not in ledger.results


def test_a_row_that_is_dropped_after_a_call_keeps_what_became_of_it() -> None:
    ledger = CampaignLedger(1)
    ledger.take_up([], duplicates=[])
    ledger.drop(0, Reason.TOO_LATE, "+15551234567")
    assert ledger.results.counts() == {"too late": 1}
    assert ledger.results[0].to == "+1*******4567"
