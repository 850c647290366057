"""Many triggers on one event loop, against the simulator: what they share, and what they do not."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.hook import BaseHook
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.xcom import XCom

from airflow_provider_twiliocall.calls.group_poll import GroupPoll
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from airflow_provider_twiliocall.triggers import shared_poller, twilio_call
from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.replaced_sleep import replace_sleep
from tests.support.virtual_time import VirtualTime

ANSWERS = "+15005551000"
STAYS_QUEUED = "+15005551105"
GOES_ON = "+15005551003"

# No test waits that long: what hangs ends here, however busy the machine is.
BOUND_S = 120


@pytest.fixture(autouse=True)
def short_deferrals(connection: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio_call, "SHORTEST_DEFERRAL_S", 0)


@pytest.fixture
def turned(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> VirtualTime:
    """Time that passes when a poller sleeps, and not otherwise."""
    begin = twilio_simulator.clock.now()
    monkeypatch.setattr(twilio_simulator.clock, "read", lambda: begin)
    replace_sleep(monkeypatch, clock.sleep)
    return clock


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections that were asked of Airflow."""
    fetch, fetched = BaseHook.aget_connection, []

    async def aget_connection(conn_id: str) -> Any:
        fetched.append(conn_id)
        return await fetch(conn_id)

    monkeypatch.setattr(BaseHook, "aget_connection", staticmethod(aget_connection))
    return fetched


def placed(count: int, to: str = ANSWERS) -> list[str]:
    hook = TwilioCallHook()
    return [hook.create_call(CreateCallParams(to=to, twiml="<Response/>")).sid for _ in range(count)]


def trigger(sid: str, **arguments: Any) -> TwilioCallTrigger:
    return TwilioCallTrigger(
        **{"twilio_conn_id": "twilio_default", "call_sid": sid, "poll_interval": 5} | arguments
    )


async def payload_of(waiting: TwilioCallTrigger) -> dict[str, Any]:
    [payload] = [event.payload async for event in waiting.run()]
    return payload


async def all_of(sids: list[str], **arguments: Any) -> list[str]:
    """Wait for calls together; return the reasons."""
    waits = [payload_of(trigger(sid, **arguments)) for sid in sids]
    return [payload["reason"] for payload in await asyncio.wait_for(asyncio.gather(*waits), BOUND_S)]


def reads(simulator: TwilioSimulator) -> Counter[str]:
    return Counter(
        request.operation for request in simulator.requests if request.operation in ("get", "list")
    )


async def until(is_so: Callable[[], object]) -> None:
    async def come() -> None:
        while not is_so():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(come(), BOUND_S)


def pollers() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == shared_poller.TASK_NAME]


# What waiting costs --------------------------------------------------------------------------------------------


def test_one_wait_costs_one_get_a_poll(twilio_simulator: TwilioSimulator, turned: VirtualTime) -> None:
    [sid] = placed(1)
    began = turned.time()
    assert asyncio.run(all_of([sid])) == ["completed"]
    assert reads(twilio_simulator) == {"get": (turned.time() - began) // 5 + 1}


def test_five_hundred_waits_cost_one_page_a_poll(
    twilio_simulator: TwilioSimulator, turned: VirtualTime
) -> None:
    sids = placed(500)
    began = turned.time()
    assert asyncio.run(all_of(sids)) == ["completed"] * 500
    assert reads(twilio_simulator) == {"list": (turned.time() - began) // 5 + 1}


def test_calls_that_are_queued_still_are_found_in_the_list(
    twilio_simulator: TwilioSimulator, turned: VirtualTime
) -> None:
    sids = placed(20, STAYS_QUEUED)
    assert asyncio.run(all_of(sids, deadline=turned.time() + 20)) == ["overdue"] * 20
    # Four polls, and a look at each one before it is given up.
    assert reads(twilio_simulator) == {"list": 5, "get": 20}


@pytest.mark.parametrize("waits", [2, 10])
def test_other_traffic_makes_waiting_no_dearer(
    twilio_simulator: TwilioSimulator, turned: VirtualTime, monkeypatch: pytest.MonkeyPatch, waits: int
) -> None:
    sids = placed(waits, STAYS_QUEUED)
    placed(200, STAYS_QUEUED)
    asked: list[int] = []
    run = GroupPoll.run

    def counting(self: GroupPoll[Any], threads: Any) -> None:
        before = sum(reads(twilio_simulator).values())
        run(self, threads)
        asked.append(sum(reads(twilio_simulator).values()) - before)

    monkeypatch.setattr(GroupPoll, "run", counting)
    assert asyncio.run(all_of(sids, deadline=turned.time() + 600)) == ["overdue"] * waits
    assert max(asked) <= waits
    # The list is tried ever more seldom.
    assert reads(twilio_simulator)["list"] <= 15


def test_a_list_that_lags_costs_looks_and_no_verdict(
    twilio_simulator: TwilioSimulator, turned: VirtualTime
) -> None:
    sids = placed(10)
    twilio_simulator.inject(Fault(kind="list-lag", seconds=3600, times=None))
    assert asyncio.run(all_of(sids)) == ["completed"] * 10
    assert reads(twilio_simulator)["get"] >= 10


def test_the_connection_is_fetched_once_for_all_waits(turned: VirtualTime, fetched: list[str]) -> None:
    sids = placed(100)
    assert asyncio.run(all_of(sids)) == ["completed"] * 100
    assert fetched == ["twilio_default"]


def test_nothing_is_left_when_the_last_wait_is_over(turned: VirtualTime) -> None:
    sids = placed(50)
    threads = set(threading.enumerate())

    async def wait() -> set[asyncio.Task[Any]]:
        tasks = asyncio.all_tasks()
        assert await all_of(sids) == ["completed"] * 50
        await until(lambda: not pollers())
        return asyncio.all_tasks() - tasks

    assert asyncio.run(wait()) == set()
    for thread in set(threading.enumerate()) - threads:
        thread.join(BOUND_S)
        assert not thread.is_alive()


# Faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [1, 30])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 429, "headers": {"Retry-After": "20"}},
        {"kind": "status", "status": 500},
        {"kind": "drop"},
        {"kind": "html", "status": 200},
        {"kind": "truncated"},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status')}-{'headers' in fault}",
)
def test_ten_minutes_of_faults_lose_no_wait(
    twilio_simulator: TwilioSimulator, turned: VirtualTime, fault: dict[str, Any], waits: int
) -> None:
    sids = placed(waits)
    over_at = turned.time() + 600
    struck = twilio_simulator.inject(Fault(**fault, operations={"get", "list"}, times=None))
    before = len(twilio_simulator.requests)
    sleep = turned.sleep

    def sleep_and_recover(seconds: float) -> None:
        sleep(seconds)
        if turned.time() >= over_at and twilio_simulator.faults:
            assert len(twilio_simulator.requests) - before <= 25 * min(waits, 10)
            twilio_simulator.clear_faults(struck)

    with pytest.MonkeyPatch.context() as patch:
        replace_sleep(patch, sleep_and_recover)
        assert asyncio.run(all_of(sids)) == ["completed"] * waits
    assert not twilio_simulator.faults
    assert turned.time() - over_at <= 65


@pytest.mark.parametrize("waits", [1, 20])
def test_credentials_that_are_refused_are_fetched_again_as_they_may_have_been_replaced(
    twilio_simulator: TwilioSimulator, turned: VirtualTime, fetched: list[str], waits: int
) -> None:
    sids = placed(waits)
    refusal = Fault(kind="status", status=401, code=20003, operations={"get", "list"}, skip=1)
    twilio_simulator.inject(refusal)
    assert asyncio.run(all_of(sids)) == ["completed"] * waits
    assert fetched == ["twilio_default"] * 2


def test_credentials_that_are_refused_twice_end_the_waits(
    twilio_simulator: TwilioSimulator, turned: VirtualTime, fetched: list[str]
) -> None:
    sids = placed(20)
    twilio_simulator.inject(Fault(kind="status", status=401, code=20003, skip=1, times=None))
    assert asyncio.run(all_of(sids)) == ["unknown"] * 20
    assert fetched == ["twilio_default"] * 2


def test_a_fault_in_the_poller_itself_loses_no_wait(
    twilio_simulator: TwilioSimulator, turned: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    sids = placed(5)
    run, faults = GroupPoll.run, iter([MemoryError(), RuntimeError("a fault of ours")])

    def failing(self: GroupPoll[Any], threads: Any) -> None:
        for fault in faults:
            raise fault
        run(self, threads)

    monkeypatch.setattr(GroupPoll, "run", failing)
    assert asyncio.run(all_of(sids)) == ["completed"] * 5


def test_a_poller_that_dies_is_replaced(twilio_simulator: TwilioSimulator) -> None:
    sids = placed(5, STAYS_QUEUED)

    async def wait() -> list[str]:
        waiting = asyncio.ensure_future(all_of(sids, poll_interval=0.05))
        await until(pollers)
        [first] = pollers()
        first.cancel()
        await until(lambda: pollers() and first not in pollers())
        for sid in sids:
            twilio_simulator.end(sid)
        return await waiting

    assert asyncio.run(wait()) == ["canceled elsewhere"] * 5


def test_what_a_dead_poller_has_begun_is_over_before_its_replacement_looks(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sids = placed(5, STAYS_QUEUED)
    run, begun, second = GroupPoll.run, threading.Event(), threading.Event()
    has_overtaken: list[bool] = []

    def watched(self: GroupPoll[Any], threads: Any) -> None:
        if begun.is_set():
            second.set()
        else:
            begun.set()
            has_overtaken.append(second.wait(timeout=1.0))
        run(self, threads)

    monkeypatch.setattr(GroupPoll, "run", watched)

    async def wait() -> list[str]:
        waiting = asyncio.ensure_future(all_of(sids, poll_interval=0.05))
        await until(begun.is_set)
        [first] = pollers()
        first.cancel()
        await until(second.is_set)
        for sid in sids:
            twilio_simulator.end(sid)
        return await waiting

    assert asyncio.run(wait()) == ["canceled elsewhere"] * 5
    assert has_overtaken == [False]


# Each for itself -----------------------------------------------------------------------------------------------


def test_a_wait_that_is_canceled_leaves_the_others_alone(twilio_simulator: TwilioSimulator) -> None:
    sids = placed(5, GOES_ON)

    async def wait() -> list[str]:
        first, *others = [asyncio.ensure_future(payload_of(trigger(sid, poll_interval=0.05))) for sid in sids]
        await until(lambda: reads(twilio_simulator))
        first.cancel()
        payloads = await asyncio.wait_for(asyncio.gather(*others), BOUND_S)
        assert first.cancelled()
        return [payload["reason"] for payload in payloads]

    assert asyncio.run(wait()) == ["completed"] * 4


def test_a_wait_that_joins_later_is_looked_at_within_the_interval(
    twilio_simulator: TwilioSimulator, turned: VirtualTime
) -> None:
    slow, quick = placed(2, STAYS_QUEUED)

    async def wait() -> float:
        began = turned.time()
        waits = [payload_of(trigger(slow, poll_interval=3600)), payload_of(trigger(quick, poll_interval=30))]
        for sid in (slow, quick):
            twilio_simulator.end(sid)
        await asyncio.wait_for(asyncio.gather(*waits), BOUND_S)
        return turned.time() - began

    assert asyncio.run(wait()) <= 5


def test_each_wait_logs_where_it_belongs_and_the_poller_nowhere(
    twilio_simulator: TwilioSimulator, turned: VirtualTime
) -> None:
    whose: ContextVar[str] = ContextVar("whose", default="nobody's")
    lines: list[tuple[str, str]] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((whose.get(), record.getMessage()))

    handler, logger = Lines(), logging.getLogger("airflow_provider_twiliocall")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    sids = placed(20)

    async def wait_as(sid: str) -> None:
        whose.set(sid)
        await payload_of(trigger(sid))

    async def wait() -> None:
        await asyncio.wait_for(asyncio.gather(*(wait_as(sid) for sid in sids)), BOUND_S)

    try:
        asyncio.run(wait())
    finally:
        logger.removeHandler(handler)
        logger.setLevel("NOTSET")
    said = [(owner, line) for owner, line in lines if line.startswith("Call CA")]
    assert {owner for owner, _ in said} == set(sids)
    assert all(owner in line for owner, line in said)


@pytest.mark.alone
def test_a_hang_up_does_not_wait_behind_looks(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sids = placed(40, GOES_ON)
    twilio_simulator.clock.speed = 1.0
    twilio_simulator.inject(Fault(kind="delay", seconds=1.0, operations={"get"}, times=None))
    twilio_simulator.inject(Fault(kind="status", status=500, operations={"list"}, times=None))

    async def asend(message: Any) -> Any:
        return SimpleNamespace(task_states={"today": {"ring": "failed"}})

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(asend=asend), raising=False)
    monkeypatch.setattr(XCom, "get_one", lambda **whose: None)

    async def kill() -> float:
        triggers = [trigger(sid, when_killed="hang_up") for sid in sids]
        waits = [asyncio.ensure_future(payload_of(each)) for each in triggers]
        await until(lambda: reads(twilio_simulator)["get"] >= 5)
        for each in triggers:
            each.task_instance = SimpleNamespace(  # type: ignore[assignment]
                dag_id="calls", task_id="ring", run_id="today", map_index=-1
            )
        waits[-1].cancel()
        began = time.monotonic()
        await triggers[-1].on_kill()
        lasted = time.monotonic() - began
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)
        return lasted

    # 40 looks of a second by ten threads take four.
    assert asyncio.run(kill()) < 3
