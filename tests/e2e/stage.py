"""Where a row of the fault table plays: a whole Airflow, a simulated Twilio, and a gate before each."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests

from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from airflow_provider_twiliocall.simulator.calls.endings import EndingLike
from tests.e2e.airflow_processes import QUICK_TO_NOTICE, Airflow, Run
from tests.support.gate import Gate, Hold
from tests.support.waiting import wait_until

# Two cores start some three tasks at once; the rest of a row is waiting.
ROWS_AT_ONCE = 12

# What a task takes at most from its start to where a row wants it, on a machine that is busy with other rows.
LIMIT_S = 240.0

HTTP_TIMEOUT_S = 10

QUICK = {"outcome": "human", "ring": 1, "talk": 2}
TALKS = {"outcome": "human", "ring": 1, "talk": 14_000}
RINGS = {"outcome": "human", "ring": 500, "talk": 5}

Row = Callable[["Stage"], None]


class Stage:
    """One Airflow on PostgreSQL, and three Twilios, of which two have a clock of their own.

    :param airflow: in whose tasks the rows play
    :param twilio: whose calls they place; the connection ``twilio_default``
    :param gate: before that Twilio
    :param store_gate: before Airflow's API server, as tasks see it
    :param elsewhere: the Twilios whose clocks are 90 s ahead (``ahead``) and behind (``behind``)
    """

    def __init__(
        self,
        airflow: Airflow,
        twilio: TwilioSimulator,
        gate: Gate,
        store_gate: Gate,
        elsewhere: dict[str, TwilioSimulator],
    ) -> None:
        self.airflow = airflow
        self.twilio = twilio
        self.gate = gate
        self.store_gate = store_gate
        self.elsewhere = elsewhere
        self.is_left = False
        self._numbers = itertools.count(10)

    def number(self, *endings: EndingLike) -> str:
        """A number that nobody else calls, and how its calls end, one after the other."""
        number = f"+150055577{next(self._numbers):02}"
        for twilio in (self.twilio, *self.elsewhere.values()):
            twilio.script(number, list(endings))
        return number

    def ring(self, dag_id: str, to: str, **conf: Any) -> Run:
        """Start a run of a DAG that calls a number."""
        return self.airflow.trigger(dag_id, {"to": to, **conf})

    def calls_to(self, number: str, twilio: TwilioSimulator | None = None) -> list[dict[str, Any]]:
        """The calls to a number, oldest first."""
        if self.is_left:
            raise RuntimeError("the stage is being taken down")
        return [call for call in (twilio or self.twilio).calls if call["to"] == number]

    def wait_for_call(self, number: str, status: str | None = None, *, count: int = 1) -> dict[str, Any]:
        """The so-many-th call to a number, once it is there and has a status."""

        def find() -> dict[str, Any] | None:
            calls = self.calls_to(number)
            if len(calls) < count or (status and calls[count - 1]["status"] != status):
                return None
            return calls[count - 1]

        what = f"call {count} to {number} to be {status or 'placed'}"
        found: dict[str, Any] = wait_until(find, what, LIMIT_S)
        return found

    def wait_for_try(self, run: Run, number: int, task_id: str = "ring") -> None:
        """Return once so many tries of a task have begun."""
        wait_until(lambda: run.try_number(task_id) >= number, f"try {number} of {task_id}", LIMIT_S)

    def wait_for_words(self, run: Run, words: str, try_number: int, task_id: str = "ring") -> None:
        """Return once a try has logged something."""

        def has_said() -> bool:
            return run.try_number(task_id) >= try_number and words in run.log(task_id, try_number)

        wait_until(has_said, f"try {try_number} of {run.dag_id} to log {words!r}", LIMIT_S)

    def place_by_somebody_else(self, number: str) -> None:
        """A call to a number that no task has placed."""
        login = self.twilio.account_sid, self.twilio.auth_token
        url = f"{self.twilio.url}/2010-04-01/Accounts/{self.twilio.account_sid}/Calls.json"
        form = {"To": number, "From": self.twilio.from_number, "Twiml": "<Response/>"}
        requests.post(url, data=form, auth=login, timeout=LIMIT_S).raise_for_status()

    def connect(self, conn_id: str, host: str, *, http_timeout: int = HTTP_TIMEOUT_S) -> None:
        """Another connection to the same Twilio."""
        fields = _fields(self.twilio, host, http_timeout)
        self.airflow.rest.add_connection(conn_id, **{**fields, "extra": json.dumps(fields["extra"])})

    def set_variable(self, key: str, value: Any) -> None:
        """Set a Variable of Airflow's, or change it."""
        body = {"key": key, "value": json.dumps(value)}
        known = [each["key"] for each in self.airflow.get("variables")["variables"]]
        if key in known:
            self.airflow.rest.call("PATCH", f"variables/{key}", json=body)
        else:
            self.airflow.rest.call("POST", "variables", json=body)

    def holding_the_journal_of(self, run: Run, state: str, task_id: str = "ring") -> Hold:
        """Hold the latest try's request that writes a state into its journal."""
        task_instance_id = run.task(task_id)["id"]
        written = f'"state":"{state}"'.encode()
        return self.store_gate.hold(
            lambda request: (
                request.method == "PUT" and task_instance_id in request.target and written in request.body
            )
        )

    def wait_until_journalled(self, run: Run, task_id: str = "ring") -> str:
        """The SID of a task's call, once the task has pushed it, which is after it wrote its journal."""
        wait_until(lambda: "call_sid" in run.xcom_keys(task_id), f"{task_id} to push its SID", LIMIT_S)
        return str(run.xcom(task_id, "call_sid"))

    def fault_on_create(self, number: str, kind: str, **how: Any) -> None:
        """Let the next request to call a number meet a fault."""
        self.twilio.inject(Fault(kind=kind, operations=frozenset({"create"}), to=number, **how))

    def hang_up(self, number: str, *, count: int = 1) -> None:
        """End a call as the callee does, once it is answered."""
        call = self.wait_for_call(number, "in-progress", count=count)
        self.twilio.end(call["sid"], "completed")

    def placings_of(self, number: str) -> int:
        """How often Twilio was asked to call a number."""
        return sum(
            request.operation == "create" and ("To", number) in request.form
            for request in self.twilio.requests
        )

    def looks_at(self, number: str) -> list[Any]:
        """The requests that looked at the calls to a number: at one alone, or at the list that shows it.

        A poller reads the list of all calls where several tasks wait, and one call alone where one does.
        """
        calls = {call["sid"]: self.created_at(call) for call in self.calls_to(number)}
        first = min(calls.values(), default=math.inf)
        return [
            request
            for request in self.twilio.requests
            if (request.operation == "get" and request.call_sid in calls)
            or (
                request.operation == "list"
                and request.received_at > first
                and "To" not in dict(request.query)
            )
        ]

    def wait_for_looks(self, number: str, count: int) -> None:
        """Return once the calls to a number were looked at so often: their tasks wait, a look a second."""
        wait_until(lambda: len(self.looks_at(number)) >= count, f"look {count} at {number}", LIMIT_S)

    def wait_for_trigger(self, run: Run, task_id: str = "ring") -> None:
        """Return once a deferred task's trigger runs: Airflow calls ``on_kill`` of no other."""
        run.wait_for_task(task_id, "deferred", LIMIT_S)
        self.wait_for_words(run, ") starting", 1, task_id)

    def wait_for_end_of_trigger(self, run: Run, task_id: str = "ring") -> None:
        """Return once a deferred task's trigger has ended, and ``on_kill`` with it."""
        self.wait_for_words(run, "trigger completed", 1, task_id)

    def created_at(self, call: dict[str, Any]) -> float:
        """When Twilio was asked for a call."""
        [asked] = [
            request.received_at
            for request in self.twilio.requests
            if request.operation == "create" and request.call_sid == call["sid"]
        ]
        return float(asked)

    def requests_about(self, call_sid: str) -> list[Any]:
        """The requests that changed a call."""
        return [
            request
            for request in self.twilio.requests
            if request.operation == "update" and request.call_sid == call_sid
        ]


@contextmanager
def build_stage(database: str, dags: Iterable[Path]) -> Iterator[Stage]:
    """Build it up, and take it down."""
    with ExitStack() as stack:
        twilios = {
            name: stack.enter_context(TwilioSimulator(calls_per_second=100, **how))
            for name, how in {"default": {}, "ahead": {}, "behind": {}}.items()
        }
        twilios["ahead"].clock.skew = 90.0
        twilios["behind"].clock.skew = -90.0
        gate = stack.enter_context(Gate(twilios["default"].url))
        connections = {
            f"AIRFLOW_CONN_TWILIO_{name.upper()}": _connection(twilio, twilio.url)
            for name, twilio in twilios.items()
        }
        connections["AIRFLOW_CONN_TWILIO_DEFAULT"] = _connection(twilios["default"], gate.url)
        airflow = Airflow(
            dags,
            {**connections, **QUICK_TO_NOTICE},
            database=database,
            triggerers=2,
            parallelism=ROWS_AT_ONCE,
        )
        store_gate = stack.enter_context(Gate(airflow.url))
        airflow.environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = f"{store_gate.url}/execution/"
        stack.enter_context(airflow)
        twilio = twilios.pop("default")
        yield Stage(airflow, twilio, gate, store_gate, twilios)


@contextmanager
def play(rows: Iterable[Row], stage: Stage) -> Iterator[dict[str, Future[None]]]:
    """Play rows side by side, each about numbers of its own; give what becomes of each, at once.

    Who leaves before they are over ends them.
    """
    players = ThreadPoolExecutor(ROWS_AT_ONCE)
    try:
        yield {row.__name__: players.submit(row, stage) for row in rows}
    finally:
        stage.is_left = True
        players.shutdown(wait=False, cancel_futures=True)


def _connection(twilio: TwilioSimulator, host: str) -> str:
    return json.dumps(_fields(twilio, host))


def _fields(twilio: TwilioSimulator, host: str, http_timeout: int = HTTP_TIMEOUT_S) -> dict[str, Any]:
    connection: dict[str, Any] = json.loads(twilio.airflow_connection)
    return {**connection, "host": host, "extra": {**connection["extra"], "http_timeout": http_timeout}}
