"""Fault table: Airflow's own processes that die, hang and come back while a task waits for its call."""

from __future__ import annotations

from concurrent.futures import Future, wait

import pytest

from tests.e2e.airflow_processes import API_SERVER, SCHEDULER, Run
from tests.e2e.stage import LIMIT_S, TALKS, Stage

AWAY_S = 30.0


@pytest.fixture
def number(stage: Stage) -> str:
    return stage.number(TALKS)


@pytest.fixture(scope="session")
def _alone_on_stage(played: dict[str, Future[None]]) -> None:
    """Nothing dies here while rows of the other modules play."""
    wait(played.values())


@pytest.fixture
def run(_alone_on_stage: None, stage: Stage, number: str) -> Run:
    """A run whose deferred task waits for a conversation to end; hanging up would end that."""
    run = stage.ring("ring_deferred_hang_up", number)
    stage.wait_for_call(number, "in-progress")
    run.wait_for_task("ring", "deferred", LIMIT_S)
    run.wait_for_triggerer("ring", LIMIT_S)
    return run


def seen_to_the_end(stage: Stage, run: Run, number: str) -> None:
    """Nobody has touched the call; its end is the task's."""
    [call] = stage.calls_to(number)
    assert call["status"] == "in-progress"
    assert stage.requests_about(call["sid"]) == []
    stage.hang_up(number)
    run.wait(LIMIT_S)
    assert (run.state, run.try_number("ring")) == ("success", 1)
    assert run.xcom("ring", "call")["status"] == "completed"
    assert stage.placings_of(number) == 1


def test_another_triggerer_takes_over_when_one_is_killed(stage: Stage, run: Run, number: str) -> None:
    first = run.wait_for_triggerer("ring", LIMIT_S)
    stage.airflow.kill(first)
    run.wait_for_triggerer("ring", LIMIT_S, other_than=first)
    seen_to_the_end(stage, run, number)
    stage.airflow.start(first)
    stage.airflow.wait_until_healthy()


def test_a_triggerer_that_was_taken_for_dead_does_not_hang_up_when_it_comes_back(
    stage: Stage, run: Run, number: str
) -> None:
    first = run.wait_for_triggerer("ring", LIMIT_S)
    with stage.airflow.suspended(first):
        second = run.wait_for_triggerer("ring", LIMIT_S, other_than=first)
        looks = len(stage.looks_at(number))
        stage.wait_for_looks(number, looks + 2)
    stage.wait_for_words(run, "another triggerer goes on waiting", 1)
    assert run.triggerer_of("ring") == second
    seen_to_the_end(stage, run, number)


def test_the_scheduler_is_restarted(stage: Stage, run: Run, number: str) -> None:
    stage.airflow.restart(SCHEDULER)
    seen_to_the_end(stage, run, number)


def test_the_api_server_is_away_for_half_a_minute(stage: Stage, run: Run, number: str) -> None:
    with stage.airflow.without(API_SERVER):
        looks = len(stage.looks_at(number))
        stage.wait_for_looks(number, looks + int(AWAY_S))
    seen_to_the_end(stage, run, number)
