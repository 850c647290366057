"""A task that dies while it waits on a worker: what becomes of its call, what the journal says, what a retry does."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.calls import ender
from airflow_provider_twiliocall.calls.monitor import CallMonitor
from airflow_provider_twiliocall.calls.outcome import judge
from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import TwilioCallFateUnknownError, TwilioCallInterruptedError
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.journal.call_journal import CallJournal
from airflow_provider_twiliocall.journal.store import KEY
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.twilio.client import TwilioClient
from tests.integration.ring_task import SOMEBODY, VARIABLE, on, operations, posts, statuses, waiting
from tests.integration.scripted_server import Answer, ScriptedServer, answer
from tests.support.interruption import (
    InterruptedTime,
    SignallingStore,
    execute_with_a_timeout,
    interrupted,
)
from tests.support.task_context import RecordingTaskInstance, StateStore, context
from tests.support.virtual_time import VirtualTime

pytestmark = pytest.mark.usefixtures("connection")

QUEUED = {"outcome": "queued"}
RINGING = {"outcome": "human", "ring": 50}
TALKING = {"outcome": "human", "ring": 0, "talk": 600}
LATE_S = 120

# What Airflow leaves a task between the signal and SIGKILL.
GRACE_S = 5
LEFT_FOR_THE_JOURNAL_S = 1

ENDED = [
    pytest.param("cancel", QUEUED, "canceled", id="cancel-queued"),
    pytest.param("cancel", RINGING, "canceled", id="cancel-ringing"),
    pytest.param("hang_up", QUEUED, "canceled", id="hang_up-queued"),
    pytest.param("hang_up", RINGING, "canceled", id="hang_up-ringing"),
    pytest.param("hang_up", TALKING, "completed", id="hang_up-talking"),
]
LEFT = [
    pytest.param("cancel", TALKING, "in-progress", id="cancel-talking"),
    pytest.param("leave", QUEUED, "queued", id="leave-queued"),
    pytest.param("leave", RINGING, "ringing", id="leave-ringing"),
    pytest.param("leave", TALKING, "in-progress", id="leave-talking"),
]


@pytest.fixture
def store() -> StateStore:
    return StateStore()


@pytest.fixture
def killed(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task is told to stop when it sleeps for the first time."""
    twilio_simulator.clock.speed = 1.0
    InterruptedTime(twilio_simulator, signal.SIGTERM).install(monkeypatch)


@pytest.fixture
def timed_out(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task's ``execution_timeout`` strikes when it sleeps for the first time."""
    twilio_simulator.clock.speed = 1.0
    InterruptedTime(twilio_simulator, signal.SIGALRM).install(monkeypatch)


@pytest.fixture
def uninterrupted(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    twilio_simulator.clock.speed = 1.0
    VirtualTime(twilio_simulator).install(monkeypatch)


@pytest.fixture
def task() -> Iterator[Callable[..., CreateCallOperator]]:
    """Make a task whose ``on_kill`` a SIGTERM calls, as Airflow's task runner sees to."""
    before = signal.getsignal(signal.SIGTERM)

    def make(when_killed: str = "cancel", **arguments: Any) -> CreateCallOperator:
        task = waiting(SOMEBODY, when_killed=when_killed, **{"poll_interval": 2, **arguments})
        signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
        return task

    yield make
    signal.signal(signal.SIGTERM, before)


Make = Callable[..., CreateCallOperator]


# Killed or evicted, with a journal


@pytest.mark.usefixtures("killed")
@pytest.mark.parametrize(("when_killed", "ending", "status"), ENDED)
def test_a_killed_task_ends_its_call_and_the_retry_dials_again(
    twilio_simulator: TwilioSimulator,
    store: StateStore,
    task: Make,
    when_killed: str,
    ending: dict[str, Any],
    status: str,
) -> None:
    twilio_simulator.script(SOMEBODY, [ending, "human"])
    with pytest.raises(TwilioCallInterruptedError, match=r"the call was ended\. A retry dials again"):
        task(when_killed).execute(context(store=store))
    assert statuses(twilio_simulator) == [status]
    assert store.values[KEY]["ended_by_us"] == when_killed
    assert task(when_killed).execute(context(store=store)) == twilio_simulator.calls[1]["sid"]
    assert statuses(twilio_simulator) == [status, "completed"]


@pytest.mark.usefixtures("killed")
@pytest.mark.parametrize(("when_killed", "ending", "status"), LEFT)
def test_a_killed_task_leaves_the_call_that_it_shall_leave_and_the_retry_takes_it_up(
    twilio_simulator: TwilioSimulator,
    store: StateStore,
    task: Make,
    when_killed: str,
    ending: dict[str, Any],
    status: str,
) -> None:
    twilio_simulator.script(SOMEBODY, ending)
    with pytest.raises(TwilioCallInterruptedError, match=r"the call may go on\. A retry takes it up"):
        task(when_killed).execute(context(store=store))
    assert statuses(twilio_simulator) == [status]
    assert store.values[KEY]["ended_by_us"] is None
    sid = task(when_killed, wait_for_completion=False).execute(context(store=store))
    assert [call["sid"] for call in twilio_simulator.calls] == [sid]


@pytest.mark.usefixtures("killed")
def test_a_call_that_was_heard_to_its_end_after_the_kill_is_the_retrys_success(
    twilio_simulator: TwilioSimulator, store: StateStore, task: Make
) -> None:
    twilio_simulator.script(SOMEBODY, TALKING)
    with pytest.raises(TwilioCallInterruptedError):
        task("cancel").execute(context(store=store))
    assert task("cancel").execute(context(store=store)) == twilio_simulator.calls[0]["sid"]
    assert posts(twilio_simulator) == 1


@pytest.mark.usefixtures("killed")
def test_the_hang_up_is_logged_with_the_status_it_led_to(
    twilio_simulator: TwilioSimulator, store: StateStore, task: Make, caplog: pytest.LogCaptureFixture
) -> None:
    twilio_simulator.script(SOMEBODY, RINGING)
    with caplog.at_level("INFO"), pytest.raises(TwilioCallInterruptedError):
        task("cancel").execute(context(store=store))
    sid = twilio_simulator.calls[0]["sid"]
    assert (
        f"The task was told to stop. Call {sid} was ended by this task, and is canceled." in caplog.messages
    )


@pytest.mark.usefixtures("killed")
def test_a_call_that_was_over_in_the_very_moment_of_the_kill_is_a_success(
    twilio_simulator: TwilioSimulator, store: StateStore, task: Make
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "ring": 0, "talk": 0.1})
    assert task("cancel").execute(context(store=store)) == twilio_simulator.calls[0]["sid"]
    assert store.values[KEY]["ended_by_us"] is None
    assert statuses(twilio_simulator) == ["completed"]


@pytest.mark.usefixtures("killed")
def test_a_task_that_is_killed_twice_knows_that_it_ended_its_call(
    twilio_simulator: TwilioSimulator, store: StateStore, task: Make
) -> None:
    twilio_simulator.script(SOMEBODY, [RINGING, "human"])
    ringing = task("cancel")
    signal.signal(signal.SIGTERM, lambda *_: (ringing.on_kill(), ringing.on_kill()))
    with pytest.raises(TwilioCallInterruptedError, match="the call was ended"):
        ringing.execute(context(store=store))
    assert store.values[KEY]["ended_by_us"] == "cancel"
    assert task("cancel").execute(context(store=store)) == twilio_simulator.calls[1]["sid"]


@pytest.mark.usefixtures("killed")
@pytest.mark.parametrize("after", [True, False], ids=["canceled, but no answer", "never reached Twilio"])
def test_a_hang_up_of_which_nobody_knows_whether_it_was_done_is_settled_by_the_task(
    twilio_simulator: TwilioSimulator,
    store: StateStore,
    task: Make,
    after: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    twilio_simulator.script(SOMEBODY, [RINGING, "human"])
    twilio_simulator.inject(on("update", kind="drop", after=after))
    with pytest.raises(TwilioCallInterruptedError, match="the call was ended"):
        task("cancel").execute(context(store=store))
    sid = task("cancel").execute(context(store=store))
    assert "could not be ended" in caplog.text
    assert store.values[KEY]["call_sid"] == sid == twilio_simulator.calls[-1]["sid"]
    assert statuses(twilio_simulator) == ["canceled", "completed"]


@pytest.mark.usefixtures("killed")
def test_a_hang_up_that_twilio_does_not_answer_gives_up_before_airflow_does(
    twilio_simulator: TwilioSimulator, store: StateStore, task: Make
) -> None:
    twilio_simulator.script(SOMEBODY, RINGING)
    twilio_simulator.inject(on("update", kind="delay", seconds=10))
    began = time.monotonic()
    with pytest.raises(TwilioCallInterruptedError, match="the call was ended"):
        task("hang_up").execute(context(store=store))
    assert time.monotonic() - began < GRACE_S


def monitoring(url: str, monkeypatch: pytest.MonkeyPatch) -> CallMonitor:
    """A call that is waited for, at a Twilio of that address."""
    connection = {"conn_type": "twilio", "login": "AC" + "0" * 32, "password": "token", "host": url}
    monkeypatch.setenv(VARIABLE, json.dumps(connection))
    hook = TwilioCallHook()
    assert hook.settings.base_url == url
    return CallMonitor(
        hook,
        "CA" + "1" * 32,
        CallJournal(None, 0),
        when_killed="hang_up",
        poll_interval=5,
        queue_timeout=3600,
        awaits="end",
        judge=judge,
        publish=lambda call: None,
    )


def test_in_a_signal_handler_no_request_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    over = answer(400, {"code": 21220, "message": "Call is not in-progress", "status": 400})
    busy = answer(503, headers={"Retry-After": "1"})
    with ScriptedServer(over, busy) as server:
        monitoring(server.url, monkeypatch).on_kill()
        assert [request.method for request in server.requests] == ["POST", "GET"]


def trickling(is_whole: threading.Event) -> Answer:
    """An answer that takes 20 s, and is never silent for long."""

    def trickle(wire: socket.socket, stopped: threading.Event) -> None:
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(100):
            wire.sendall(b" ")
            if stopped.wait(0.2):
                return
        is_whole.set()

    return Answer(trickle)


def test_a_signal_handler_does_not_wait_for_an_answer_that_trickles_in(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    is_whole = threading.Event()
    monkeypatch.setattr(ender, "ON_KILL_S", 0.5)
    with ScriptedServer(trickling(is_whole)) as server:
        monitoring(server.url, monkeypatch).on_kill()
        assert not is_whole.is_set()
    assert "could not be ended yet: no answer within 0.5 s" in caplog.text


def test_a_signal_handler_leaves_the_journal_some_of_airflows_five_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedServer(trickling(threading.Event())) as server:
        ringing = monitoring(server.url, monkeypatch)
        began = time.monotonic()
        ringing.on_kill()
        assert time.monotonic() - began < GRACE_S - LEFT_FOR_THE_JOURNAL_S
    assert "could not be ended yet" in caplog.text


def test_a_signal_handler_that_gets_no_thread_ends_the_call_without_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = threading.Thread.start

    def start_none_of_ours(thread: threading.Thread) -> None:
        if thread.name == "twilio-on-kill":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_none_of_ours)
    caplog.set_level("INFO")
    ended = answer(200, {"sid": "CA" + "1" * 32, "status": "canceled"})
    with ScriptedServer(ended) as server:
        monitoring(server.url, monkeypatch).on_kill()
        assert [request.method for request in server.requests] == ["POST"]
    assert "was ended by this task, and is canceled" in caplog.text


@pytest.mark.usefixtures("uninterrupted")
def test_a_signal_in_the_middle_of_a_look_ends_the_call_all_the_same(
    twilio_simulator: TwilioSimulator, store: StateStore, task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(SOMEBODY, RINGING)
    ringing = task("cancel")
    monkeypatch.setattr(TwilioClient, "get_call", interrupted(TwilioClient.get_call, signal.SIGTERM))
    with pytest.raises(TwilioCallInterruptedError, match="the call was ended"):
        ringing.execute(context(store=store))
    assert statuses(twilio_simulator) == ["canceled"]
    assert store.values[KEY]["ended_by_us"] == "cancel"


@pytest.mark.usefixtures("uninterrupted")
def test_a_signal_before_a_task_defers_ends_the_call_and_the_task_does_not_defer(
    twilio_simulator: TwilioSimulator, store: StateStore, task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(SOMEBODY, RINGING)
    ringing = task("cancel", deferrable=True)
    monkeypatch.setattr(TwilioClient, "get_call", interrupted(TwilioClient.get_call, signal.SIGTERM))
    with pytest.raises(TwilioCallInterruptedError, match="the call was ended"):
        ringing.execute(context(store=store))
    assert statuses(twilio_simulator) == ["canceled"]
    assert store.values[KEY]["ended_by_us"] == "cancel"


# Killed while it places


@pytest.mark.usefixtures("uninterrupted")
def test_a_task_told_to_stop_before_it_dials_does_not_dial(
    twilio_simulator: TwilioSimulator, task: Make
) -> None:
    store = SignallingStore(state="placing", signals=[signal.SIGTERM])
    with pytest.raises(TwilioCallInterruptedError, match="nothing was dialled"):
        task().execute(context(store=store))
    assert operations(twilio_simulator) == []
    assert store.values[KEY]["state"] == "not placed"


@pytest.mark.usefixtures("uninterrupted")
@pytest.mark.parametrize(
    ("when_killed", "status"), [("cancel", "canceled"), ("hang_up", "canceled"), ("leave", "queued")]
)
def test_a_task_told_to_stop_before_it_knows_the_sid_ends_the_call_once_it_does(
    twilio_simulator: TwilioSimulator, task: Make, when_killed: str, status: str
) -> None:
    twilio_simulator.script(SOMEBODY, QUEUED)
    store = SignallingStore(state="placed", signals=[signal.SIGTERM])
    with pytest.raises(TwilioCallInterruptedError):
        task(when_killed).execute(context(store=store))
    assert statuses(twilio_simulator) == [status]


# Killed, without a journal: Airflow 3.1 and 3.2


@pytest.mark.usefixtures("killed")
@pytest.mark.parametrize(("when_killed", "ending", "status"), ENDED)
def test_without_a_journal_a_killed_task_ends_its_call_and_may_be_retried(
    twilio_simulator: TwilioSimulator, task: Make, when_killed: str, ending: dict[str, Any], status: str
) -> None:
    twilio_simulator.script(SOMEBODY, ending)
    with pytest.raises(TwilioCallInterruptedError, match="A retry dials again"):
        task(when_killed).execute(context())
    assert statuses(twilio_simulator) == [status]


@pytest.mark.usefixtures("killed")
@pytest.mark.parametrize(("when_killed", "ending", "status"), LEFT)
def test_without_a_journal_a_killed_task_whose_call_goes_on_is_not_retried(
    twilio_simulator: TwilioSimulator, task: Make, when_killed: str, ending: dict[str, Any], status: str
) -> None:
    twilio_simulator.script(SOMEBODY, ending)
    with pytest.raises(TwilioCallFateUnknownError, match=r"may go on\. It is not dialled again") as failed:
        task(when_killed).execute(context())
    assert isinstance(failed.value, AirflowFailException)
    assert statuses(twilio_simulator) == [status]


# Out of time


@pytest.mark.usefixtures("timed_out")
@pytest.mark.parametrize(("when_killed", "ending", "status"), ENDED)
def test_a_task_out_of_time_ends_its_call_and_the_retry_dials_again(
    twilio_simulator: TwilioSimulator,
    store: StateStore,
    task: Make,
    when_killed: str,
    ending: dict[str, Any],
    status: str,
) -> None:
    twilio_simulator.script(SOMEBODY, [ending, "human"])
    with pytest.raises(AirflowTaskTimeout, match="execution_timeout is over"):
        execute_with_a_timeout(task(when_killed), context(store=store))
    assert statuses(twilio_simulator) == [status]
    assert store.values[KEY]["ended_by_us"] == when_killed
    assert task(when_killed).execute(context(store=store)) == twilio_simulator.calls[1]["sid"]


@pytest.mark.usefixtures("timed_out")
@pytest.mark.parametrize(("when_killed", "ending", "status"), LEFT)
def test_a_task_out_of_time_leaves_the_call_that_it_shall_leave_and_the_retry_takes_it_up(
    twilio_simulator: TwilioSimulator,
    store: StateStore,
    task: Make,
    when_killed: str,
    ending: dict[str, Any],
    status: str,
) -> None:
    twilio_simulator.script(SOMEBODY, ending)
    with pytest.raises(AirflowTaskTimeout, match="goes on"):
        execute_with_a_timeout(task(when_killed), context(store=store))
    assert statuses(twilio_simulator) == [status]
    assert store.values[KEY]["ended_by_us"] is None
    sid = task(when_killed, wait_for_completion=False).execute(context(store=store))
    assert [call["sid"] for call in twilio_simulator.calls] == [sid]


@pytest.mark.usefixtures("timed_out")
@pytest.mark.parametrize(("when_killed", "ending", "status"), ENDED)
def test_without_a_journal_a_task_out_of_time_ends_its_call_and_may_be_retried(
    twilio_simulator: TwilioSimulator, task: Make, when_killed: str, ending: dict[str, Any], status: str
) -> None:
    twilio_simulator.script(SOMEBODY, ending)
    with pytest.raises(AirflowTaskTimeout):
        execute_with_a_timeout(task(when_killed), context())
    assert statuses(twilio_simulator) == [status]


@pytest.mark.usefixtures("timed_out")
@pytest.mark.parametrize(("when_killed", "ending", "status"), LEFT)
def test_without_a_journal_a_task_out_of_time_whose_call_goes_on_is_not_retried(
    twilio_simulator: TwilioSimulator, task: Make, when_killed: str, ending: dict[str, Any], status: str
) -> None:
    twilio_simulator.script(SOMEBODY, ending)
    with pytest.raises(TwilioCallFateUnknownError, match="It is not dialled again"):
        execute_with_a_timeout(task(when_killed), context())
    assert statuses(twilio_simulator) == [status]


@pytest.mark.usefixtures("timed_out")
def test_a_task_out_of_time_asks_twilio_once_and_not_again_on_its_way_out(
    twilio_simulator: TwilioSimulator, store: StateStore, task: Make
) -> None:
    twilio_simulator.script(SOMEBODY, TALKING)
    with pytest.raises(AirflowTaskTimeout):
        execute_with_a_timeout(task("cancel"), context(store=store))
    assert operations(twilio_simulator).count("update") == 1


@pytest.mark.usefixtures("timed_out")
def test_a_task_out_of_time_while_it_looks_for_an_unconfirmed_call_finds_it_and_sees_how_it_ended(
    twilio_simulator: TwilioSimulator, store: StateStore, task: Make
) -> None:
    twilio_simulator.inject(on("create", kind="drop", after=True))
    sid = execute_with_a_timeout(task("cancel"), context(store=store))
    assert sid == twilio_simulator.calls[0]["sid"]
    assert posts(twilio_simulator) == 1


@pytest.mark.usefixtures("timed_out")
def test_without_a_journal_a_task_out_of_time_while_it_looks_for_an_unconfirmed_call_is_not_retried(
    twilio_simulator: TwilioSimulator, task: Make
) -> None:
    twilio_simulator.inject(on("create", kind="drop", after=True))
    with pytest.raises(TwilioCallFateUnknownError, match=r"struck while the call .* was being placed"):
        execute_with_a_timeout(task("cancel"), context())
    assert posts(twilio_simulator) == 1


class TimelyTaskInstance(RecordingTaskInstance):
    """A task instance during whose first XCom of the call the time runs out."""

    def xcom_push(self, key: str, value: Any) -> None:
        super().xcom_push(key, value)
        if key == "call" and self.max_tries == 0:
            self.max_tries = -1
            signal.raise_signal(signal.SIGALRM)


@pytest.mark.usefixtures("uninterrupted")
def test_a_task_out_of_time_between_dialling_and_waiting_ends_its_call_and_the_retry_dials_again(
    twilio_simulator: TwilioSimulator, store: StateStore, task: Make
) -> None:
    twilio_simulator.script(SOMEBODY, [QUEUED, "human"])
    with pytest.raises(AirflowTaskTimeout):
        execute_with_a_timeout(task("cancel"), context(TimelyTaskInstance(), store))
    assert statuses(twilio_simulator) == ["canceled"]
    assert task("cancel").execute(context(store=store)) == twilio_simulator.calls[1]["sid"]


@pytest.mark.usefixtures("uninterrupted")
def test_a_task_out_of_time_while_it_writes_the_sid_down_ends_its_call_and_the_retry_dials_again(
    twilio_simulator: TwilioSimulator, task: Make
) -> None:
    twilio_simulator.script(SOMEBODY, [QUEUED, "human"])
    store = SignallingStore(state="placed", signals=[signal.SIGALRM])
    with pytest.raises(AirflowTaskTimeout):
        execute_with_a_timeout(task("cancel"), context(store=store))
    assert statuses(twilio_simulator) == ["canceled"]
    assert task("cancel").execute(context(store=store)) == twilio_simulator.calls[1]["sid"]
