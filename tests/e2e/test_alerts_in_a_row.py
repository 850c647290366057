"""Sixty callbacks of one DAG file, which Airflow runs one after the other in a process that it ends after 50 s."""

from __future__ import annotations

from collections import Counter
from typing import Any

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.e2e.airflow_processes import DAG_PROCESSOR, Airflow, wait_until

NUMBERS = [f"+150055563{number:02}" for number in range(60)]

# A DAG processor that starts takes over all callbacks while it reads the files for the first time. If it may read two
# files at once, and one of them is the callbacks' own, it drops that file from its queue: the callbacks then wait until
# the file is due again, which is after min_file_process_interval, a day here. If it may read only one, it takes no file
# from the queue before the file it is reading is done, so the callbacks always run.
ALL_IN_ONE_PROCESS = {
    "AIRFLOW__DAG_PROCESSOR__MAX_CALLBACKS_PER_LOOP": str(len(NUMBERS)),
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
}

FAILED_LIMIT_S = 240.0
# Airflow ends the process after 50 s, and what has not run by then never does. Before that it reads the file.
RUNG_LIMIT_S = 120.0


def test_sixty_dags_of_one_file_that_fail_together_ring_sixty_numbers(
    airflow: Airflow, simulator: TwilioSimulator
) -> None:
    airflow.environment |= ALL_IN_ONE_PROCESS
    wait_until(lambda: len(states(airflow, "dags")) == len(NUMBERS), "the DAGs", FAILED_LIMIT_S)
    with airflow.without(DAG_PROCESSOR):
        for dag_id in states(airflow, "dags"):
            airflow.rest.call("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None})
        wait_until(
            lambda: set(states(airflow, "dags/~/dagRuns").values()) == {"failed"},
            "the runs to fail",
            FAILED_LIMIT_S,
        )

    def calls() -> list[dict[str, Any]]:
        return [call for call in simulator.calls if call["to"] in NUMBERS]

    def rung() -> set[str]:
        return {call["to"] for call in calls() if call["start_time"]}

    wait_until(lambda: rung() == set(NUMBERS), "every number to be rung", RUNG_LIMIT_S)
    # What is still queued will ring.
    rings = [call["to"] for call in calls() if call["start_time"] or call["status"] == "queued"]
    assert Counter(rings) == Counter(NUMBERS)


def states(airflow: Airflow, path: str) -> dict[str, str]:
    """The DAGs of the file, or what became of their runs."""
    [found] = [
        each
        for name, each in airflow.get(path, dag_id_pattern="alerts_in_a_row_%", limit=100).items()
        if name in ("dags", "dag_runs")
    ]
    return {each["dag_id"]: each.get("state", "known") for each in found}
