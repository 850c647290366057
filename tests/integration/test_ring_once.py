"""Random faults, deaths and clears: no phone rings twice unasked, none is left ringing, no outcome is lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from airflow import __version__ as airflow_version
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from packaging.version import Version

from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger
from tests.integration.ring_once_judge import Judge
from tests.integration.ring_once_machine import RingTask
from tests.integration.ring_once_stage import CALLEE, Settings, Stage, Strike

EXAMPLES = 1000
STEPS = 6

HUMAN = frozenset({"human"})


# What can happen -------------------------------------------------------------------------------------------------

SETTINGS = st.builds(
    Settings,
    when_killed=st.sampled_from(["hang_up", "cancel", "leave"]),
    delivery=st.sampled_from(["at_most_once", "at_most_once", "at_least_once"]),
    accept_answered_by=st.sampled_from([None, HUMAN]),
    waits=st.sampled_from([True, True, True, False]),
    deferrable=st.booleans(),
    retries=st.integers(0, 2),
    execution_timeout=st.sampled_from([None, None, 30, 100]),
    ahead=st.sampled_from([0.0, 0.0, 90.0, -90.0]),
)

PACES = st.sampled_from([1, 1, 2, 3])
WHILE_ASLEEP = st.integers(0, 90)

STRIKES = st.one_of(
    st.builds(
        Strike,
        what=st.sampled_from(["die", "evict", "time out", "mark failed", "clear", "lose the store"]),
        point=st.sampled_from(
            [
                *("before create", "after create", "before get", "after get", "before list", "after list"),
                *("before update", "after update", "before store get", "before store set", "after store set"),
            ]
        ),
        nth=PACES,
    ),
    st.builds(
        Strike,
        what=st.sampled_from(["die", "evict", "time out", "mark failed", "clear", "lose the store"]),
        point=st.just("sleep"),
        nth=WHILE_ASLEEP,
    ),
    st.builds(Strike, what=st.just("clear and be overtaken"), point=st.just("before store set"), nth=PACES),
    st.builds(Strike, what=st.just("clear and be overtaken"), point=st.just("sleep"), nth=WHILE_ASLEEP),
)

TIMES = st.integers(1, 3)


def on(
    *operations: str, times: st.SearchStrategy[int | None] = TIMES, **fault: Any
) -> st.SearchStrategy[Fault]:
    """Faults that strike these operations."""
    given = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for name, value in fault.items()
    }
    return st.builds(Fault, operations=st.just(frozenset(operations)), times=times, **given)


THROTTLED = {"kind": "status", "status": 429, "code": 20429}
RETRY_AFTER = st.sampled_from([{}, {"Retry-After": "3"}, {"Retry-After": "120"}])
ON_CREATE = st.one_of(
    on("create", kind="drop", after=st.booleans()),
    on("create", kind="status", status=st.sampled_from([500, 502, 503]), after=st.booleans()),
    on("create", kind="html", after=st.booleans()),
    on("create", kind=st.sampled_from(["truncated", "cut"])),
    on("create", **THROTTLED, headers=RETRY_AFTER),
)
ON_READING = st.one_of(
    on("list", times=st.just(None), kind="list-lag", seconds=st.sampled_from([2.0, 5.0, 15.0])),
    on("get", times=st.just(None), kind="not-found", seconds=st.sampled_from([2.0, 7.0])),
    on("get", times=st.just(None), kind="stale", seconds=st.sampled_from([3.0, 10.0])),
    on("get", "list", "notifications", kind="drop"),
    on("get", "list", kind="status", status=503),
    on("get", "list", **THROTTLED, headers=RETRY_AFTER),
    on("get", "list", kind=st.sampled_from(["html", "truncated"])),
    on("list", kind="drop", times=st.sampled_from([3, 40])),
)
ON_UPDATE = st.one_of(
    on("update", kind="drop", after=st.booleans()),
    on("update", kind="status", status=503, after=st.booleans()),
    on("update", kind="truncated"),
    on("update", **THROTTLED),
)

ENDINGS = st.sampled_from(
    [
        *(
            "human",
            "human",
            "late",
            "voicemail",
            "busy",
            "no-answer",
            "rejected",
            "failed",
            "canceled",
            "queued",
        ),
        {"outcome": "human", "talk": 70},
        {"outcome": "human", "ring": 20, "talk": 1},
    ]
)

FAULTS = st.lists(st.one_of(ON_CREATE, ON_CREATE, ON_READING, ON_UPDATE), max_size=2)
PLANS = st.lists(STRIKES, max_size=2)
OUTAGES = st.sampled_from([0.0, 0.0, 0.0, 0.0, 15.0, 60.0])
DELAYS = st.sampled_from([5.0, 60.0, 300.0])


def tell(trigger: TwilioCallTrigger) -> None:
    """Tell a trigger that its task was killed."""
    asyncio.run(trigger.on_kill())


class RingOnce(RuleBasedStateMachine):
    """One task, whatever comes."""

    stage: Stage
    count_of_examples = 0

    @initialize(settings=SETTINGS, ending=ENDINGS, faults=FAULTS, strikes=PLANS, store_away=OUTAGES)
    def task_is_written_and_started(
        self, settings: Settings, ending: Any, faults: list[Fault], strikes: list[Strike], store_away: float
    ) -> None:
        self.judge = Judge(self.stage, self.count)
        self.task = RingTask(self.stage, settings, self.judge)
        self.stage.reset(self.task)
        self.late: list[TwilioCallTrigger] = []
        self.start(0.0, ending, faults, strikes, store_away)

    def start(
        self, after: float, ending: Any, faults: list[Fault], strikes: list[Strike], store_away: float
    ) -> None:
        self.took("a try starts")
        self.stage.simulator.script(CALLEE, ending)
        self.prepare(faults, strikes, after + store_away if store_away else 0.0)
        self.task.start(after)
        while self.late:
            self.took("a trigger learns late of a clear")
            tell(self.late.pop())

    def count(self, what: str) -> None:
        event(what)
        self.stage.counts[what] += 1

    def took(self, what: str) -> None:
        self.count(f"rule: {what}")

    # Airflow

    @precondition(lambda self: self.task.is_runnable)
    @rule(
        after=DELAYS,
        ending=ENDINGS,
        faults=FAULTS,
        strikes=PLANS,
        store_away=OUTAGES,
        renders_wrongly=st.sampled_from([False, False, False, True]),
    )
    def try_starts(
        self,
        after: float,
        ending: Any,
        faults: list[Fault],
        strikes: list[Strike],
        store_away: float,
        renders_wrongly: bool,
    ) -> None:
        if renders_wrongly:
            self.took("a template renders wrongly")
        self.task.renders_wrongly = renders_wrongly
        self.start(after, ending, faults, strikes, store_away)

    @precondition(lambda self: self.task.state == "deferred")
    @rule(seconds=st.sampled_from([1.0, 20.0, 400.0]), faults=FAULTS, strikes=PLANS, store_away=OUTAGES)
    def triggerer_waits(
        self, seconds: float, faults: list[Fault], strikes: list[Strike], store_away: float
    ) -> None:
        self.took("a triggerer waits")
        self.prepare(faults, strikes, store_away)
        self.task.wait(seconds)

    def prepare(self, faults: list[Fault], strikes: list[Strike], store_away: float) -> None:
        """Say what becomes of Twilio, and of the next process."""
        for fault in faults:
            self.took(
                f"fault {fault.kind.value}{' after' if fault.after else ''} on {'/'.join(sorted(fault.operations))}"
            )
            self.stage.simulator.inject(fault)
        self.task.strikes = list(strikes)
        self.stage.disturbed = self.stage.disturbed or bool(faults or strikes or store_away)
        if store_away:
            self.took("the store goes away")
            self.stage.store_is_away_until = self.stage.now() + store_away

    @rule(seconds=DELAYS)
    def time_passes(self, seconds: float) -> None:
        self.took("time passes")
        self.stage.pass_time(seconds)

    @precondition(lambda self: self.task.state == "deferred" and self.task.trigger)
    @rule()
    def triggerer_hands_over(self) -> None:
        self.took("triggerer hands over")
        updates = self.updates()
        self.task.hand_over()
        assert self.updates() == updates, "a handover touched the call"

    @precondition(lambda self: self.task.state == "deferred")
    @rule(lost=st.booleans())
    def deferral_breaks_off(self, lost: bool) -> None:
        self.took("trigger lost" if lost else "deferral timed out")
        self.stage.disturbed = True
        if lost:
            self.task.lose_the_trigger()
        else:
            self.task.nobody_takes_the_event()

    # A person

    @precondition(lambda self: self.task.state == "deferred")
    @rule(state=st.sampled_from(["failed", "success"]))
    def person_marks(self, state: str) -> None:
        self.took(f"marked {state} while deferred")
        self.stage.disturbed = True
        self.task.mark(state)

    @precondition(lambda self: self.task.state is not None and self.task.max_tries < 12)
    @rule(late=st.booleans())
    def person_clears(self, late: bool) -> None:
        self.took(f"clear while {self.task.state}")
        self.stage.disturbed = True
        trigger = self.task.clear(tell_trigger=not late)
        if trigger is not None:
            self.late.append(trigger)

    @precondition(lambda self: self.task.state == "deferred")
    @rule()
    def person_ends_the_call_in_the_console(self) -> None:
        alive = [
            call["sid"] for call in self.stage.simulator.calls if call["status"] in ("queued", "ringing")
        ]
        if alive:
            self.took("canceled elsewhere")
            self.stage.simulator.end(alive[-1])

    # What must hold

    @invariant()
    def nothing_is_broken(self) -> None:
        if self.task.is_over:
            self.judge.over(self.task)
        assert not self.judge.broken, "\n".join([*self.judge.broken, "", *self.stage.story])

    def teardown(self) -> None:
        if not hasattr(self, "task"):
            return
        for _ in range(20):
            if self.task.is_over:
                break
            if self.task.is_runnable:
                self.task.start(60.0)
            else:
                self.task.wait(1000.0)
        self.count(f"task over: {self.task.state}, {len(self.task.rings)} rings")
        self.nothing_is_broken()
        type(self).count_of_examples += 1

    def updates(self) -> int:
        return sum(request.operation == "update" for request in self.stage.simulator.requests)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    logging.disable(logging.CRITICAL)
    with TwilioSimulator(speed=1.0) as simulator:
        yield Stage(simulator, monkeypatch)
    logging.disable(logging.NOTSET)


@pytest.mark.untraced
@pytest.mark.skipif(
    Version(airflow_version) < Version("3.3"),
    reason="Airflow keeps no journal before 3.3, and kills no trigger",
)
def test_no_sequence_of_faults_rings_twice_loses_an_outcome_or_leaves_a_phone_ringing(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = type("RingOnceHere", (RingOnce,), {"stage": stage})
    started = time.monotonic()
    run_machine(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    took = time.monotonic() - started
    with capsys.disabled():
        print(f"\n{machine.count_of_examples} examples in {took:.0f} s")
        for what, times in sorted(stage.counts.items()):
            print(f"{times:6} {what}")
    assert machine.count_of_examples >= EXAMPLES
