"""The notifier against the simulator: who is rung, how often, within what time, and what is said when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import airflow.serialization.serialized_objects as serialization
import pytest
from airflow import __version__ as airflow_version
from airflow.sdk import DAG
from airflow.sdk.definitions.deadline import AsyncCallback
from airflow.sdk.log import mask_secret
from airflow.secrets.environment_variables import EnvironmentVariablesBackend

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.exceptions import TwilioConnectionError, TwilioConnectionNotFoundError
from airflow_provider_twiliocall.hooks import twilio_call as hook_module
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.notifications import (
    alert,
    alert_connection,
    alert_record,
    alert_run,
    cooldown,
)
from airflow_provider_twiliocall.notifications import this_process as process_module
from airflow_provider_twiliocall.notifications.cooldown import Cooldown
from airflow_provider_twiliocall.notifications.deadline import Deadline
from airflow_provider_twiliocall.notifications.this_process import (
    MOST_ALERTS_AT_ONCE,
    WAITING_S,
    WaitingTime,
    this_process,
)
from airflow_provider_twiliocall.notifications.threads import DaemonThreads
from airflow_provider_twiliocall.notifications.twilio_call import (
    TwilioCallNotificationError,
    TwilioCallNotifier,
)
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.simulator.fault import Fault, FaultKind
from airflow_provider_twiliocall.simulator.operation import Operation
from airflow_provider_twiliocall.twilio.client import TwilioClient
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.airflow_variables import AirflowVariables

VARIABLE = "AIRFLOW_CONN_TWILIO_DEFAULT"
ANNE, BERT, CLEO = "+15551230001", "+15551230002", "+15551230003"
LISTS, CREATES = frozenset({Operation.LIST}), frozenset({Operation.CREATE})

# What is left of a request that nobody waits for any more, once Twilio is gone.
LONGEST_REST_S = 60.0

# It has another name since 3.2.
SERIALIZER = getattr(serialization, "DagSerialization", None) or serialization.SerializedDAG


from_airflow_3_2_on = pytest.mark.skipif(
    airflow_version.startswith("3.1."), reason="one thread only may ask Airflow's API there"
)


@pytest.fixture
def twilio(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwilioSimulator]:
    """One for each test: what a fault holds up may come through when the test is over."""
    with TwilioSimulator(speed=1.0) as simulator:
        monkeypatch.setenv(VARIABLE, simulator.airflow_connection)
        simulator.script("*", {"outcome": "human", "ring": 0.5, "talk": 60})
        yield simulator
    # What an alert did not wait for would log into the tests after it.
    for thread in threading.enumerate():
        if thread.name == "twilio-alert":
            thread.join(LONGEST_REST_S)
            assert not thread.is_alive()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert, "random_wait", lambda: 0.0)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """What notifiers log, with its level, however Airflow takes it."""
    lines: list[tuple[int, str]] = []
    monkeypatch.setattr(
        TwilioCallNotifier, "say", lambda _, level, message, *args: lines.append((level, message % args))
    )
    return lines


@pytest.fixture
def short_budget(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(alert_run, "BUDGET_S", 4.0)
    return 4.0


def notify(to: Any = ANNE, context: dict[str, Any] | None = None, **arguments: Any) -> None:
    TwilioCallNotifier(to=to, **arguments)({} if context is None else context)


def awaited(notifier: TwilioCallNotifier) -> None:
    async def wait() -> None:
        await notifier

    notifier.context = {}
    asyncio.run(wait())


def rung(twilio: TwilioSimulator) -> list[str]:
    return [call["to"] for call in twilio.calls]


def creates(twilio: TwilioSimulator) -> int:
    return sum(request.operation == Operation.CREATE.value for request in twilio.requests)


def form_received(twilio: TwilioSimulator) -> dict[str, str]:
    """What Twilio was asked for, once."""
    (form,) = [dict(request.form) for request in twilio.requests if request.operation == "create"]
    return form


# Placing


def test_an_alert_rings_and_says_what_has_happened(twilio: TwilioSimulator) -> None:
    notify(message="The {{ dag_id }} pipeline has failed.", context={"dag_id": "nightly"})

    (call,) = twilio.calls
    assert (call["to"], call["from"]) == (ANNE, twilio.from_number)
    assert "The nightly pipeline has failed." in form_received(twilio)["Twiml"]
    assert twilio.refused == []


def test_every_field_reaches_twilio(twilio: TwilioSimulator) -> None:
    twilio.own("+15005559001")
    notify(message="hi", from_="+15005559001", timeout="20", machine_detection="Enable", record=True)

    form = form_received(twilio)
    assert form | {"Twiml": ""} == {
        "To": ANNE,
        "From": "+15005559001",
        "Twiml": "",
        "Timeout": "20",
        "TimeLimit": form["TimeLimit"],
        "Record": "true",
        "MachineDetection": "Enable",
    }


def test_the_message_is_said_as_its_author_wants(twilio: TwilioSimulator) -> None:
    context = {"dag_id": "load_orders"}
    notify(
        message="{{ dag_id }}", voice="Polly.Lea", language="fr-FR", repeat=2, verbatim=True, context=context
    )

    say = '<Pause length="1" /><Say voice="Polly.Lea" language="fr-FR">load_orders</Say>'
    assert form_received(twilio)["Twiml"].endswith(f"<Response>{say}{say}</Response>")


def test_the_default_message_is_said_as_its_author_wants(twilio: TwilioSimulator) -> None:
    notify(voice="{{ speaker }}", repeat="{{ times }}", context={"speaker": "Polly.Amy", "times": 2})

    assert form_received(twilio)["Twiml"].count('<Say voice="Polly.Amy">Airflow alert.') == 2


@pytest.mark.parametrize("message", [None, "It says {{ exception }}"])
def test_what_airflow_masks_in_its_logs_is_not_said(twilio: TwilioSimulator, message: str | None) -> None:
    mask_secret("hunter2-of-the-database")
    error = ValueError(f"hunter2-of-the-database, {twilio.auth_token}")

    notify(message=message, context={"exception": error})

    twiml = form_received(twilio)["Twiml"]
    assert "hunter2" not in twiml
    assert twilio.auth_token not in twiml
    assert twiml.count("redacted") == 2


def test_a_recording_is_played_instead_of_a_message(twilio: TwilioSimulator) -> None:
    notify(audio_url="https://example.com/{{ sound }}.mp3", repeat=2, context={"sound": "siren"})

    play = '<Pause length="1" /><Play>https://example.com/siren.mp3</Play>'
    assert form_received(twilio)["Twiml"].endswith(f"<Response>{play}{play}</Response>")


@pytest.mark.parametrize("instead", ["audio_url", "url", "twiml", "application_sid"])
def test_what_is_rendered_to_nothing_gives_way_to_the_default_message(
    twilio: TwilioSimulator, instead: str
) -> None:
    notify(**{instead: "{{ nothing }}"}, context={"nothing": None})

    assert "Airflow alert." in form_received(twilio)["Twiml"]
    assert twilio.refused == []


def test_an_alert_in_the_event_loop_rings_too_and_does_not_hold_it_up(twilio: TwilioSimulator) -> None:
    twilio.inject(Fault(kind=FaultKind.DELAY, seconds=0.5, operations=CREATES))
    ticks = 0

    async def main() -> None:
        nonlocal ticks
        context: Any = {
            "dag_run": {"dag_id": "nightly"},
            "deadline": {"deadline_time": "2026-03-01T06:00:00Z"},
        }
        notifier = asyncio.ensure_future(_awaited(TwilioCallNotifier(to=ANNE, context=context)))
        while not notifier.done():
            await asyncio.sleep(0.01)
            ticks += 1
        await notifier

    asyncio.run(main())

    assert rung(twilio) == [ANNE]
    assert ticks > 10


@pytest.mark.parametrize("is_async", [True, False], ids=["AsyncCallback", "SyncCallback"])
def test_what_is_wrong_in_a_deadlines_kwargs_does_not_silence_it(
    twilio: TwilioSimulator,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    is_async: bool,
) -> None:
    wrong = {
        "timeout": 3600,
        "status_callback": "/relative",
        "cooldown": "soon",
        "delivery": "twice",
        "repeat": 0,
        "wait_for_completion": True,
        "mesage": "hi",
    }
    context: Any = {"dag_run": {"dag_id": "nightly"}}

    notifier = TwilioCallNotifier(to=[ANNE, "+1 555 CALL NOW"], context=context, **wrong)  # type: ignore[arg-type]
    with pytest.raises(TwilioCallNotificationError, match="has letters"):
        asyncio.run(_awaited(notifier)) if is_async else notifier(context)

    assert rung(twilio) == [ANNE]
    logged = caplog.text + "".join(capfd.readouterr())
    assert "Fix these arguments of the alert: TwilioCallNotifier has no argument" in logged
    assert "has no argument mesage: did you mean message?" in logged
    assert [name for name in wrong if not re.search(rf"{name}[=:]", logged)] == []


@pytest.mark.parametrize(
    "to",
    ["{{ var.value.oncall }}", "{{ var.json.oncall_team }}", "{{ conn.oncall.extra_dejson.to }}"],
)
def test_the_callback_of_a_deadline_needs_no_number_in_what_airflow_stores(
    twilio: TwilioSimulator, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_ONCALL", ANNE)
    monkeypatch.setenv("AIRFLOW_VAR_ONCALL_TEAM", json.dumps([ANNE]))
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL", json.dumps({"conn_type": "generic", "extra": {"to": ANNE}}))
    stored = AsyncCallback(TwilioCallNotifier, kwargs={"to": to}).serialize()
    context: Any = {"dag_run": {"dag_id": "nightly"}, "deadline": {"deadline_time": "2026-03-01T06:00:00Z"}}

    # As Airflow's trigger does.
    asyncio.run(_awaited(TwilioCallNotifier(**stored["kwargs"], context=context)))

    assert rung(twilio) == [ANNE]
    assert ANNE[-4:] not in json.dumps(stored)


async def _awaited(notifier: TwilioCallNotifier) -> None:
    await notifier


def test_it_does_not_wait_for_anybody_to_answer(twilio: TwilioSimulator) -> None:
    twilio.script(ANNE, {"outcome": "human", "ring": 50})
    notify()
    assert twilio.calls[0]["status"] in ("queued", "ringing")


def test_a_callback_of_a_dag_gets_by_with_what_airflow_gives_it(twilio: TwilioSimulator) -> None:
    with DAG("nightly", schedule=None) as dag:
        notify(context={"dag": dag, "run_id": "manual", "reason": "timed_out"})
    assert "DAG nightly failed" in form_received(twilio)["Twiml"]


# Several contacts


def test_a_dag_as_it_comes_out_of_the_database_is_no_reason_not_to_ring(twilio: TwilioSimulator) -> None:
    # As "airflow dags test" hands it to a callback: it cannot render templates by itself.
    with DAG("nightly", schedule=None) as dag:
        pass
    kept = SERIALIZER.from_dict(SERIALIZER.to_dict(dag))

    notify(ANNE, {"dag": kept}, message="{{ dag.dag_id }} has failed")

    assert "nightly has failed" in form_received(twilio)["Twiml"]


def test_all_contacts_are_rung_once_each(twilio: TwilioSimulator) -> None:
    notify([ANNE, BERT, "+1 (555) 123-0001", CLEO])
    assert sorted(rung(twilio)) == [ANNE, BERT, CLEO]


def test_a_list_that_a_template_made_is_rung(twilio: TwilioSimulator) -> None:
    notify("{{ oncall }}", context={"oncall": [ANNE, BERT]})
    assert sorted(rung(twilio)) == [ANNE, BERT]


def test_a_bad_number_does_not_keep_the_good_ones_from_being_rung_and_all_failures_are_reported_together(
    twilio: TwilioSimulator,
) -> None:
    with pytest.raises(TwilioCallNotificationError) as raised:
        notify([ANNE, "5551230009", "+15005550001", BERT])

    assert sorted(rung(twilio)) == [ANNE, BERT]
    malformed, rejected = raised.value.failures
    assert "start with + and the country code" in malformed
    assert rejected.startswith("+1*******0001: ") and "21217" in rejected
    assert "+15005550001" not in str(raised.value)


def test_a_rejection_is_logged_with_the_fix(
    twilio: TwilioSimulator, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TwilioCallNotificationError, match="Geo permissions"):
        notify("+15005550003")
    assert "Geo permissions" in caplog.text + "".join(capfd.readouterr())


def test_when_all_are_refused_for_the_same_reason_each_is_reported(
    twilio: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(twilio.airflow_connection)
    del connection["extra"]["from"]
    monkeypatch.setenv(VARIABLE, json.dumps(connection))

    with pytest.raises(TwilioCallNotificationError) as raised:
        notify([ANNE, BERT])
    assert len(raised.value.failures) == 2
    assert "There is no number to call from" in raised.value.failures[0]
    assert twilio.calls == []


# The connection


@pytest.fixture
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is not found is not looked for again."""
    monkeypatch.setattr(alert_connection, "CONNECTION_PATIENCE_S", 0.0)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Airflow finds no connection for as many looks."""
    looks = ["first", "second", "third", "fourth"]
    find = EnvironmentVariablesBackend.get_conn_value

    def nothing_at_first(self: Any, *args: Any, **kwargs: Any) -> Any:
        return None if looks and looks.pop() else find(self, *args, **kwargs)

    monkeypatch.setattr(EnvironmentVariablesBackend, "get_conn_value", nothing_at_first)
    monkeypatch.setattr(hook_module, "PAUSE_BEFORE_ANOTHER_LOOK_S", 0.01)
    return looks


def test_a_connection_that_is_away_for_a_moment_silences_nobody(
    twilio: TwilioSimulator, away: list[str]
) -> None:
    notify(ANNE)
    assert (rung(twilio), away) == ([ANNE], [])


def test_a_connection_that_is_away_for_a_moment_silences_nobody_in_the_triggerer(
    twilio: TwilioSimulator, away: list[str]
) -> None:
    asyncio.run(TwilioCallNotifier(to=ANNE).async_notify({}))  # type: ignore[arg-type]
    assert (rung(twilio), away) == ([ANNE], [])


def test_a_connection_that_is_away_silences_no_alert_after_the_first_ones_either(
    twilio: TwilioSimulator, away: list[str], no_time_to_wait: None
) -> None:
    notify(ANNE)
    assert (rung(twilio), away) == ([ANNE], [])


@pytest.mark.usefixtures("in_no_time")
@pytest.mark.parametrize("is_async", [True, False], ids=["triggerer", "worker"])
def test_a_connection_that_was_found_before_is_used_when_airflow_does_not_find_it(
    twilio: TwilioSimulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    is_async: bool,
) -> None:
    notify(ANNE)
    monkeypatch.delenv(VARIABLE)
    notifier = TwilioCallNotifier(to=BERT)
    asyncio.run(_awaited(notifier)) if is_async else notifier({})
    assert sorted(rung(twilio)) == [ANNE, BERT]
    assert "uses what Airflow has given before" in caplog.text + "".join(capfd.readouterr())


@pytest.fixture
def slow_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow finds the connection after half a minute, by the clock of the package."""
    monotonic, ahead = clock.monotonic, [0.0]
    get, aget = TwilioCallHook.get_connection, TwilioCallHook.aget_connection

    def slowly(conn_id: str) -> Any:
        ahead[0] += 30.0
        return get(conn_id)

    async def slowly_too(conn_id: str) -> Any:
        ahead[0] += 30.0
        return await aget(conn_id)

    monkeypatch.setattr(clock, "monotonic", lambda: monotonic() + ahead[0])
    monkeypatch.setattr(TwilioCallHook, "get_connection", staticmethod(slowly))
    monkeypatch.setattr(TwilioCallHook, "aget_connection", staticmethod(slowly_too))


def test_a_connection_that_airflow_is_slow_to_find_silences_nobody_when_the_process_ends_then(
    twilio: TwilioSimulator, slow_connection: None
) -> None:
    pid = os.fork()
    if pid == 0:
        # As Airflow's child processes end.
        with contextlib.suppress(BaseException):
            notify(ANNE)
        os._exit(0)
    os.waitpid(pid, 0)
    assert rung(twilio) == [ANNE]


@pytest.mark.parametrize("is_async", [True, False], ids=["triggerer", "worker"])
def test_an_alert_that_waited_for_its_connection_has_the_time_to_give_way(
    twilio: TwilioSimulator, slow_connection: None, is_async: bool
) -> None:
    notify()
    # The second does not see the first before it has placed its own.
    twilio.inject(Fault(kind=FaultKind.LIST_LAG, seconds=60, operations=LISTS))
    notifier = TwilioCallNotifier(to=ANNE)
    asyncio.run(_awaited(notifier)) if is_async else notifier({})
    assert [call["status"] == "canceled" for call in twilio.calls] == [False, True]


@pytest.mark.usefixtures("in_no_time")
@pytest.mark.parametrize(
    ("to", "problem"),
    [
        (ANNE, "code 20003"),
        ("{{ 15005550006.0 }}", "has decimals, as a number that was a float"),
        ("{{ 5005550006 }}", "is not E.164"),
        ("{{ nope.x }}", "nope"),
    ],
)
@pytest.mark.parametrize("is_in_triggerer", [False, True])
def test_where_no_phone_rings_it_is_logged_as_critical_whatever_the_reason(
    twilio: TwilioSimulator, said: list[tuple[int, str]], to: str, problem: str, is_in_triggerer: bool
) -> None:
    twilio.inject(Fault(kind="status", status=401, code=20003, times=None))
    alert = TwilioCallNotifier(to=to, cooldown=None)
    with pytest.raises(TwilioCallNotificationError):
        awaited(alert) if is_in_triggerer else alert({})
    (critical,) = [line for level, line in said if level == logging.CRITICAL]
    assert "Nobody was called" in critical
    assert problem in critical


@pytest.mark.usefixtures("twilio")
def test_the_example_in_a_hint_can_be_read(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.ERROR):
        notify(from_="{{ '5550006 Acme' }}", cooldown=None)
    assert "e.g. +15551234567" in caplog.text + "".join(capfd.readouterr())


@pytest.mark.usefixtures("twilio")
def test_a_connection_that_cannot_be_rendered_is_told_once(said: list[tuple[int, str]]) -> None:
    with pytest.raises(TwilioConnectionError):
        notify(twilio_conn_id="{{ nope.x }}")
    ((level, line),) = said
    assert level == logging.CRITICAL
    assert (
        "Nobody was called, because there is no connection to call with: twilio_conn_id does not say" in line
    )


def test_without_a_connection_whom_nobody_called_is_logged_as_critical(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with (
        caplog.at_level(logging.CRITICAL),
        pytest.raises(TwilioConnectionNotFoundError, match="There is no connection"),
    ):
        notify([ANNE, BERT], twilio_conn_id="nowhere")
    logged = caplog.text + "".join(capfd.readouterr())
    assert "critical" in logged.lower()
    assert "+1*******0001, +1*******0002" in logged
    assert ANNE not in logged


@pytest.mark.usefixtures("in_no_time")
def test_without_a_connection_it_is_critical_in_the_triggerer_too(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TwilioConnectionNotFoundError, match="There is no connection"):
        asyncio.run(TwilioCallNotifier(to=ANNE, twilio_conn_id="nowhere").async_notify({}))  # type: ignore[arg-type]
    assert "+1*******0001" in caplog.text + "".join(capfd.readouterr())


def test_a_connection_that_cannot_be_used_is_no_better_than_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, '{"conn_type": "twilio", "login": "nobody", "password": "x"}')
    with pytest.raises(TwilioConnectionError, match="login="):
        notify(ANNE)
    assert "Nobody was called" in caplog.text + "".join(capfd.readouterr())


# Cooldown


def test_a_second_alert_is_covered_by_the_call_of_the_first_and_says_by_which(
    twilio: TwilioSimulator, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    notify()
    capfd.readouterr()
    with caplog.at_level(logging.INFO):
        notify()

    (call,) = twilio.calls
    assert call["sid"] in caplog.text + "".join(capfd.readouterr())


def test_without_a_cooldown_each_alert_rings(twilio: TwilioSimulator) -> None:
    notify(cooldown=None)
    notify(cooldown=None)
    assert rung(twilio) == [ANNE, ANNE]


def test_after_the_cooldown_the_next_alert_rings(twilio: TwilioSimulator) -> None:
    notify(cooldown=timedelta(minutes=15))
    twilio.skip(16 * 60)
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr("airflow_provider_twiliocall.clock.time", twilio.clock.now)
        notify(cooldown=timedelta(minutes=15))
    assert rung(twilio) == [ANNE, ANNE]


@pytest.mark.parametrize("ending", ["busy", "no-answer", "failed"])
def test_a_call_that_reached_nobody_does_not_cover_the_next_alert(
    twilio: TwilioSimulator, ending: str
) -> None:
    twilio.script(ANNE, [ending, {"outcome": "human", "talk": 60}])
    notify()
    twilio.skip(120)
    notify()
    reached_nobody, _ = twilio.calls
    assert reached_nobody["status"] == ending


def test_another_from_has_a_cooldown_of_its_own(twilio: TwilioSimulator) -> None:
    twilio.own("+15005559001")
    notify()
    notify(from_="+15005559001")
    assert len(twilio.calls) == 2


def test_a_list_that_cannot_be_read_is_no_reason_not_to_ring(twilio: TwilioSimulator) -> None:
    notify()
    twilio.inject(Fault(kind=FaultKind.STATUS, status=503, operations=LISTS, times=None))
    notify()
    assert rung(twilio) == [ANNE, ANNE]


def test_a_list_that_takes_too_long_is_no_reason_not_to_ring(twilio: TwilioSimulator) -> None:
    twilio.inject(Fault(kind=FaultKind.DELAY, seconds=30, operations=LISTS, times=None))
    notify()
    assert rung(twilio) == [ANNE]


def test_of_two_placed_at_once_one_rings_and_the_queued_one_is_canceled(twilio: TwilioSimulator) -> None:
    notify()
    # The second does not see the first before it has placed its own.
    twilio.inject(Fault(kind=FaultKind.LIST_LAG, seconds=60, operations=LISTS))
    notify()
    assert [call["start_time"] is not None for call in twilio.calls] == [True, False]
    assert twilio.calls[1]["status"] == "canceled"


# Alerts in a row


@pytest.fixture
def no_time_to_wait() -> None:
    """As after the first alerts of a process that has many."""
    this_process().waiting_time = WaitingTime(0)


def wait_for_second_looks() -> None:
    for thread in alert_threads():
        thread.join(LONGEST_REST_S)


def alert_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "twilio-alert"]


def test_once_a_process_has_waited_enough_an_alert_returns_when_it_is_placed(
    twilio: TwilioSimulator, no_time_to_wait: None
) -> None:
    # The second look gets no answer: whoever waits for it waits for seconds.
    twilio.inject(Fault(kind=FaultKind.DELAY, seconds=60, operations=LISTS, skip=1, times=None))
    notify()
    assert rung(twilio) == [ANNE]
    assert alert_threads() != []


def test_the_second_look_goes_on_when_the_next_alert_is_there_and_cancels_a_call_that_is_covered(
    twilio: TwilioSimulator, no_time_to_wait: None
) -> None:
    notify()
    wait_for_second_looks()
    # The second does not see the first before it has placed its own.
    twilio.inject(Fault(kind=FaultKind.LIST_LAG, seconds=60, operations=LISTS))
    notify()
    notify(BERT)
    wait_for_second_looks()
    assert [(call["to"], call["status"]) for call in twilio.calls if call["status"] == "canceled"] == [
        (ANNE, "canceled")
    ]
    assert {call["to"] for call in twilio.calls if call["status"] != "canceled"} == {ANNE, BERT}


def test_what_goes_wrong_after_an_alert_has_returned_is_logged(
    twilio: TwilioSimulator,
    no_time_to_wait: None,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    returned = threading.Event()

    def gives_way_to_one_that_is_gone(self: Cooldown, own: Any, *, until: float) -> None:
        assert returned.wait(LONGEST_REST_S)
        twilio.inject(Fault(kind=FaultKind.STATUS, status=400, code=21210, operations=CREATES, times=None))

    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(Cooldown, "give_way", gives_way_to_one_that_is_gone)
        notify()
        returned.set()
        wait_for_second_looks()
    assert "+1*******0001 may not know what has happened" in caplog.text + "".join(capfd.readouterr())


def test_all_the_time_that_an_alert_takes_is_counted_and_not_its_waiting_alone(
    twilio: TwilioSimulator,
) -> None:
    twilio.inject(Fault(kind=FaultKind.DELAY, seconds=0.5, operations=CREATES))
    notify(cooldown=None)
    assert this_process().waiting_time.left < WAITING_S - 0.5


def test_alerts_of_one_process_share_their_connections_to_twilio(
    twilio: TwilioSimulator, no_time_to_wait: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[TwilioClient] = []
    create = TwilioCallHook.client_with

    def counted(self: TwilioCallHook, **timeouts: float) -> TwilioClient:
        created.append(create(self, **timeouts))
        return created[-1]

    monkeypatch.setattr(TwilioCallHook, "client_with", counted)
    notify([ANNE, BERT])
    notify(CLEO)
    wait_for_second_looks()
    assert len(created) == 1


# Alerts in the triggerer


def test_a_hundred_alerts_in_the_event_loop_need_few_threads_and_all_ring(
    twilio: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [f"+1555124{number:04}" for number in range(100)]
    seen: list[int] = []

    def counted() -> float:
        seen.append(len(alert_threads()))
        return 0.0

    class Counting(AirflowVariables):
        def send(self, request: Any) -> Any:
            counted()
            return super().send(request)

    # What a slow machine does not answer in time would have a thread of its own for longer.
    monkeypatch.setattr(alert_run, "BUDGET_S", 600.0)
    for room, limits in {
        alert: ("LONGEST_LOOK_S", "LONGEST_CLEANING_S"),
        alert_record: ("LONGEST_QUESTION_S", "LONGEST_CHANGE_S"),
        process_module: ("READ_TIMEOUT_S",),
    }.items():
        for limit in limits:
            monkeypatch.setattr(room, limit, 600.0)
    Counting().connect(monkeypatch)
    monkeypatch.setattr(alert, "random_wait", counted)
    monkeypatch.setattr(cooldown, "LONGEST_LAG_S", 0.5)

    async def all_at_once() -> None:
        await asyncio.gather(*(TwilioCallNotifier(to=number).async_notify({}) for number in numbers))

    asyncio.run(all_at_once())

    assert sorted(rung(twilio)) == numbers
    assert max(seen) <= 2 * MOST_ALERTS_AT_ONCE


def test_threads_stay_few_where_twilio_is_slow_to_answer(
    twilio: TwilioSimulator, monkeypatch: pytest.MonkeyPatch, short_budget: float
) -> None:
    this_process().threads = DaemonThreads(4)
    twilio.inject(Fault(kind=FaultKind.DELAY, seconds=30.0, times=None))
    seen: list[int] = []
    bound = Deadline.bound

    def counted(self: Deadline, work: Any, *, most: float) -> Any:
        seen.append(len(alert_threads()))
        return bound(self, work, most=most)

    monkeypatch.setattr(Deadline, "bound", counted)

    async def all_at_once() -> None:
        alerts = (TwilioCallNotifier(to=f"+1555124{number:04}").async_notify({}) for number in range(12))
        await asyncio.gather(*alerts, return_exceptions=True)

    asyncio.run(all_at_once())

    # One for each alert, one for its request, and one for a request that is just ending.
    assert max(seen) <= 3 * 4


def test_waiting_for_a_thread_is_not_counted_among_the_seconds_of_an_alert(
    twilio: TwilioSimulator, monkeypatch: pytest.MonkeyPatch, short_budget: float
) -> None:
    this_process().threads = DaemonThreads(1)
    # Each of them needs more than half of the time that one has.
    twilio.inject(Fault(kind=FaultKind.DELAY, seconds=1.5, after=True, operations=CREATES, times=None))
    numbers = [f"+1555124{number:04}" for number in range(4)]

    async def all_at_once() -> None:
        await asyncio.gather(
            *(TwilioCallNotifier(to=number, cooldown=None).async_notify({}) for number in numbers)
        )

    asyncio.run(all_at_once())

    assert sorted(rung(twilio)) == numbers
    assert creates(twilio) == 4


# Calls of others


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> AirflowVariables:
    """Those of the Airflow that runs the callback."""
    variables = AirflowVariables()
    variables.connect(monkeypatch)
    return variables


def ring_by_hand(number: str = ANNE) -> None:
    """As an operator does, and a person who tries it."""
    TwilioCallHook().create_call(CreateCallParams(to=number, twiml="<Response/>"))


@from_airflow_3_2_on
def test_an_ordinary_call_silences_no_alert(twilio: TwilioSimulator, variables: AirflowVariables) -> None:
    ring_by_hand()
    twilio.skip(120)
    notify(context={"dag": None})
    assert rung(twilio) == [ANNE, ANNE]
    assert list(variables.kept) == [f"twilio_call_alert_{twilio.calls[1]['sid']}"]


@from_airflow_3_2_on
def test_the_call_of_an_alert_covers_the_next_one_for_as_long_as_the_cooldown_says(
    twilio: TwilioSimulator, variables: AirflowVariables
) -> None:
    notify(context={"dag": None})
    twilio.skip(120)
    ring_by_hand()
    twilio.skip(120)
    notify(context={"dag": None})
    assert rung(twilio) == [ANNE, ANNE]


@from_airflow_3_2_on
def test_in_the_event_loop_an_ordinary_call_silences_no_alert_either(
    twilio: TwilioSimulator, variables: AirflowVariables
) -> None:
    ring_by_hand()
    twilio.skip(120)
    asyncio.run(_awaited(TwilioCallNotifier(to=ANNE)))
    assert rung(twilio) == [ANNE, ANNE]
    assert list(variables.kept) == [f"twilio_call_alert_{twilio.calls[1]['sid']}"]


def test_where_nobody_can_tell_who_has_placed_a_call_it_covers(twilio: TwilioSimulator) -> None:
    ring_by_hand()
    twilio.skip(120)
    notify(context={"dag": None})
    assert rung(twilio) == [ANNE]


@from_airflow_3_2_on
def test_a_call_that_gave_way_is_not_kept_as_that_of_an_alert(
    twilio: TwilioSimulator, variables: AirflowVariables
) -> None:
    notify(context={"dag": None})
    # The second does not see the first before it has placed its own.
    twilio.inject(Fault(kind=FaultKind.LIST_LAG, seconds=60, operations=LISTS))
    notify(context={"dag": None})
    assert list(variables.kept) == [f"twilio_call_alert_{twilio.calls[0]['sid']}"]


@from_airflow_3_2_on
@pytest.mark.parametrize("cooldown", [None, timedelta(minutes=15)])
def test_a_call_whose_answer_was_lost_is_kept_as_that_of_an_alert(
    twilio: TwilioSimulator, variables: AirflowVariables, cooldown: timedelta | None
) -> None:
    twilio.inject(Fault(kind=FaultKind.DROP, after=True, operations=CREATES))
    notify(cooldown=cooldown, context={"dag": None})
    assert list(variables.kept) == [f"twilio_call_alert_{call['sid']}" for call in twilio.calls]


@from_airflow_3_2_on
def test_an_ordinary_call_that_is_found_in_place_of_a_lost_answer_is_not_kept(
    twilio: TwilioSimulator, variables: AirflowVariables
) -> None:
    ring_by_hand()
    twilio.skip(20)
    # The alert sees it only when it looks for its own call, of which Twilio knows nothing.
    twilio.inject(Fault(kind=FaultKind.LIST_LAG, seconds=60, operations=LISTS))
    twilio.inject(Fault(kind=FaultKind.DROP, operations=CREATES))
    notify(context={"dag": None})
    assert rung(twilio) == [ANNE]
    assert variables.kept == {}


@from_airflow_3_2_on
def test_what_is_kept_of_calls_before_the_cooldown_is_deleted_when_the_next_one_rings(
    twilio: TwilioSimulator, variables: AirflowVariables
) -> None:
    for _ in range(3):
        notify(context={"dag": None})
        twilio.skip(16 * 60)
    assert list(variables.kept) == [f"twilio_call_alert_{twilio.calls[2]['sid']}"]


def test_what_covers_is_a_warning_that_says_what_to_do(
    twilio: TwilioSimulator, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    notify()
    capfd.readouterr()
    with caplog.at_level(logging.WARNING):
        notify()
    said = caplog.text + "".join(capfd.readouterr())
    assert "[warning" in said or "WARNING" in said
    assert "give alerts a from_ of their own or a shorter cooldown, or cooldown=None" in said


# Lost answers


@pytest.mark.parametrize("cooldown", [None, timedelta(minutes=15)])
def test_a_call_whose_answer_was_lost_is_found_and_not_dialled_again(
    twilio: TwilioSimulator, cooldown: timedelta | None
) -> None:
    twilio.inject(Fault(kind=FaultKind.DROP, after=True, operations=CREATES))
    notify(cooldown=cooldown)
    assert rung(twilio) == [ANNE]
    assert creates(twilio) == 1


def test_a_request_that_was_lost_is_sent_again(twilio: TwilioSimulator) -> None:
    twilio.inject(Fault(kind=FaultKind.STATUS, status=500, operations=CREATES))
    notify()
    assert rung(twilio) == [ANNE]
    assert creates(twilio) == 2


def test_a_request_that_is_lost_twice_is_not_sent_a_third_time(twilio: TwilioSimulator) -> None:
    twilio.inject(Fault(kind=FaultKind.STATUS, status=500, operations=CREATES, times=None))
    with pytest.raises(TwilioCallNotificationError, match="It was dialled 2 times"):
        notify()
    assert creates(twilio) == 2


def test_at_most_once_does_not_dial_again(twilio: TwilioSimulator) -> None:
    twilio.inject(Fault(kind=FaultKind.STATUS, status=500, operations=CREATES))
    with pytest.raises(TwilioCallNotificationError, match="it is not dialled again"):
        notify(delivery="at_most_once")
    assert creates(twilio) == 1


def test_what_twilio_did_not_take_is_sent_again_after_a_pause(twilio: TwilioSimulator) -> None:
    twilio.inject(Fault(kind=FaultKind.STATUS, status=429, operations=CREATES, times=2))
    notify()
    assert rung(twilio) == [ANNE]
    assert creates(twilio) == 3


# Time


def test_when_twilio_answers_nothing_ten_seconds_is_all_it_takes_for_all_contacts(
    twilio: TwilioSimulator,
) -> None:
    twilio.inject(Fault(kind=FaultKind.DELAY, seconds=60, times=None))
    started = time.monotonic()
    with pytest.raises(TwilioCallNotificationError) as raised:
        notify([ANNE, BERT, CLEO])
    assert time.monotonic() - started < 10.5
    assert len(raised.value.failures) == 3
    assert creates(twilio) == 6


def test_answers_that_come_late_are_waited_for_within_the_budget(
    twilio: TwilioSimulator, short_budget: float
) -> None:
    twilio.inject(Fault(kind=FaultKind.DELAY, seconds=0.6, after=True, times=None))
    started = time.monotonic()
    notify([ANNE, BERT])
    assert time.monotonic() - started < short_budget + 0.5
    assert sorted(rung(twilio)) == [ANNE, BERT]
    assert creates(twilio) == 2


def test_no_connection_to_twilio_is_tried_again_and_reported_in_time(twilio: TwilioSimulator) -> None:
    twilio.stop()
    started = time.monotonic()
    with pytest.raises(TwilioCallNotificationError, match="No connection to"):
        notify(cooldown=None)
    assert time.monotonic() - started < 10.5


def test_one_contact_that_gets_no_answer_does_not_hold_up_another(
    twilio: TwilioSimulator, short_budget: float
) -> None:
    twilio.inject(Fault(kind=FaultKind.DELAY, seconds=60, to=BERT, times=None))
    with pytest.raises(TwilioCallNotificationError) as raised:
        notify([ANNE, BERT])
    assert rung(twilio) == [ANNE]
    (failure,) = raised.value.failures
    assert failure.startswith("+1*******0002: ")
