"""Airflow's task state store: whether there is one, and how it says that another try has taken over."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.journal.store import is_superseded, store_of
from tests.support.interruption import AWAY, SUPERSEDED
from tests.support.task_context import StateStore, context


def test_older_airflows_have_none() -> None:
    store = StateStore()
    assert store_of(context(store=store)) is store
    assert store_of(context()) is None


@pytest.mark.parametrize(("answer", "expected"), [(SUPERSEDED, True), (AWAY, False), (500, False)])
def test_a_process_that_another_try_has_replaced_can_tell(answer: int, expected: bool) -> None:
    with pytest.raises(Exception) as failed:
        StateStore(fault=answer).set("key", "value")
    assert is_superseded(failed.value) is expected
