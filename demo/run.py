"""The demonstration: real DAGs, run by Airflow, call people who are played by the simulator.

Everything lives in one temporary directory and in processes of its own; both are gone when this ends, however
it ends. The exit status is 0 only if every call and every task ended the way the story says.
"""

from __future__ import annotations

import json
import shlex
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from stage import Failure, Interrupted, Stage, elapsed, until, watch_for_signals

SPEED = 4  # simulated seconds in a real one

console = Console(highlight=False)


class Try(NamedTuple):
    """One try of a task: how its call ends, and what that does to the task."""

    call_status: str
    answered_by: str | None
    task_state: str


class Story(NamedTuple):
    """A DAG of the demonstration, and what has to come of it."""

    dag_id: str
    task_id: str
    to: str
    tries: tuple[Try, ...]
    then: str = ""


STORIES = (
    Story("wait_for_answer", "ring", "+15005551000", (Try("completed", None, "success"),)),
    Story(
        "redial_busy_line",
        "ring",
        "+15005551106",
        (Try("busy", None, "failed"), Try("completed", None, "success")),
    ),
    Story(
        "refuse_voicemail",
        "remind",
        "+15005551200",
        (Try("completed", "machine_end_beep", "failed"),),
        then="write_instead",
    ),
)
COLOURS = {
    "completed": "green",
    "success": "green",
    "busy": "yellow",
    "up_for_retry": "yellow",
    "failed": "red",
}


def main() -> int:
    watch_for_signals()
    stage = Stage()
    try:
        perform(stage)
    except Interrupted:
        console.print("Interrupted: ending what was started.")
        return 130
    except Failure as failure:
        sentence, log = failure.args
        if log.exists():
            console.print(log.read_text(errors="replace"), markup=False, style="dim", soft_wrap=True)
        console.print(f"[red]The demonstration failed:[/] {sentence}")
        return 1
    finally:
        stage.clear()
    console.print(f"All as it should be, after {elapsed():.0f} s. Nothing is left running.")
    return 0


def perform(stage: Stage) -> None:
    say("Airflow makes a database; the simulator starts …")
    migration = stage.start("migrate", "airflow", "db", "migrate")
    twilio = start_simulator(stage)
    for _ in until(lambda: migration.poll() is not None, "airflow db migrate", stage.log("migrate")):
        pass
    if migration.returncode:
        raise Failure("`airflow db migrate` did not succeed.", stage.log("migrate"))
    say(f"`airflow dags test` runs three DAGs; Twilio, {SPEED} times as fast, is {twilio}")
    runs = {}
    for story in STORIES:
        copy_database(stage.database("airflow"), stage.database(story.dag_id))
        runs[story.dag_id] = stage.start(
            story.dag_id, "airflow", "dags", "test", story.dag_id, database=story.dag_id
        )
    watch(stage, runs, twilio)
    for story in STORIES:
        if runs[story.dag_id].returncode:
            raise Failure(f"`airflow dags test {story.dag_id}` did not succeed.", stage.log(story.dag_id))
    tell(stage, calls_at(twilio, stage))


def start_simulator(stage: Stage) -> str:
    """Start the simulator, keep the connection it prints for Airflow, and return its URL."""
    process = stage.start(
        "simulator", "airflow_provider_twiliocall.simulator", "--port", "0", "--speed", str(SPEED)
    )
    log = stage.log("simulator")
    for _ in until(lambda: b"Ctrl-C ends it" in log.read_bytes(), "the simulator's start", log):
        if process.poll() is not None:
            raise Failure("The simulator did not start.", log)
    setting = next(line for line in log.read_text().splitlines() if line.startswith("AIRFLOW_CONN_"))
    name, _, connection = shlex.split(setting)[0].partition("=")
    stage.environment[name] = connection
    return str(json.loads(connection)["host"])


def watch(stage: Stage, runs: dict[str, subprocess.Popen[bytes]], twilio: str) -> None:
    """Print what happens to calls and tasks, as it happens, until all runs are over."""
    seen: dict[tuple[str, ...], str] = {}

    def over() -> bool:
        finished = all(run.poll() is not None for run in runs.values())
        for call in calls_at(twilio, stage):
            if seen.get((call["sid"],)) != call["status"]:
                seen[(call["sid"],)] = call["status"]
                say(f"  phone {last_four(call['to'])}  [{colour(call['status'])}]{call['status']}")
        for story in STORIES:
            for task_id, state, number in tasks_of(stage, story.dag_id):
                key = (story.dag_id, task_id, str(number))
                if state in COLOURS and seen.get(key) != state:
                    seen[key] = state
                    say(f"  task  {story.dag_id}.{task_id}, try {number}:  [{colour(state)}]{state}")
        return finished

    for _ in until(over, "the three runs", stage.log(STORIES[0].dag_id)):
        pass


def tell(stage: Stage, calls: list[dict[str, Any]]) -> None:
    """Print the table, and fail unless each story went as it should."""
    table = Table(
        "DAG", "phone", "the call", "lasted", "answered by", "the task", box=SIMPLE_HEAD, pad_edge=False
    )
    failures: list[Failure] = []
    for story in STORIES:
        own_calls = [call for call in calls if call["to"] == story.to]
        states = states_of_tries(stage, story)
        for number, (call, state) in enumerate(zip(own_calls, states, strict=False), 1):
            table.add_row(
                story.dag_id if number == 1 else "",
                last_four(call["to"]),
                f"[{colour(call['status'])}]{call['status']}",
                f"{call['duration']} s",
                call["answered_by"] or "",
                f"[{colour(state)}]{state}[/]{', retried' if number < len(states) else ''}",
            )
        endings = tuple((call["status"], call["answered_by"]) for call in own_calls)
        if endings != tuple(each[:2] for each in story.tries):
            failures.append(Failure(f"the calls of {story.dag_id} ended {endings}.", stage.log(story.dag_id)))
        if states != [each.task_state for each in story.tries]:
            failures.append(Failure(f"{story.dag_id}.{story.task_id} was {states}.", stage.log(story.dag_id)))
        if story.then and (story.then, "success", 1) not in tasks_of(stage, story.dag_id):
            failures.append(Failure(f"{story.then} did not run and succeed.", stage.log(story.dag_id)))
    console.print(table)
    if failures:
        raise failures[0]


def calls_at(twilio: str, stage: Stage) -> list[dict[str, Any]]:
    """The simulator's calls, oldest first; asked without a proxy, which could not find this machine."""
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{twilio}/simulator/calls", timeout=5) as answer:
            calls: list[dict[str, Any]] = json.load(answer)
            return calls
    except OSError as error:
        raise Failure(f"The simulator does not answer: {error}.", stage.log("simulator")) from error


def tasks_of(stage: Stage, dag_id: str) -> list[tuple[str, str, int]]:
    """Task, state and number of the latest try, as Airflow's database has them."""
    return query(stage, dag_id, "select task_id, state, try_number from task_instance")


def states_of_tries(stage: Stage, story: Story) -> list[str]:
    """How each try of the story's task ended, the first one first."""
    tries = "select state, try_number from {} where task_id = '{}'"
    both = " union ".join(
        tries.format(name, story.task_id) for name in ("task_instance_history", "task_instance")
    )
    return [state for state, _ in query(stage, story.dag_id, f"{both} order by try_number")]


def query(stage: Stage, dag_id: str, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{stage.database(dag_id)}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def last_four(number: str) -> str:
    return f"…{number[-4:]}"


def colour(word: str) -> str:
    return COLOURS.get(word, "default")


def say(sentence: str) -> None:
    console.print(f"[dim]{elapsed():5.1f} s[/]  {sentence}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
