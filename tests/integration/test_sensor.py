"""The sensor against the simulator: poked, rescheduled and deferred, it comes to the same end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.sdk import BaseOperator
from airflow.secrets.environment_variables import EnvironmentVariablesBackend

from airflow_provider_twiliocall.calls import watch as waiting
from airflow_provider_twiliocall.exceptions import (
    TwilioCallFateUnknownError,
    TwilioCallRefusedError,
    TwilioConnectionError,
)
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.sensors.twilio_call import TwilioCallSensor
from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from airflow_provider_twiliocall.triggers import twilio_call
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.task_context import RecordingTaskInstance

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:  # Airflow 3.1
    from airflow.exceptions import AirflowRescheduleException

VARIABLE = "AIRFLOW_CONN_TWILIO_DEFAULT"
CALLEE = "+15551230001"
STAYS_QUEUED = "+15005551105"
UNKNOWN_SID = "CA" + "0" * 32

# Rings for as long as Twilio lets it, so that the first look sees it ring, whatever the machine has to do.
RINGS = {"ring": 590}
LONG_ENOUGH = 2000

POLLING = 0.02
BOUND = 20


class Wait:
    """One task: a sensor, the run it is in, and the Twilio its call is at."""

    def __init__(self, simulator: TwilioSimulator) -> None:
        self.simulator = simulator
        self.ti = RecordingTaskInstance("wait")
        self.context = {"ti": self.ti, "task_instance": self.ti}

    def place(self, to: str, **params: Any) -> str:
        call = CreateCallParams(to=to, twiml="<Response/>", timeout=600, **params)
        return TwilioCallHook().create_call(call).sid

    def place_to_end(self, outcome: str, **params: Any) -> str:
        self.simulator.script(CALLEE, {"outcome": outcome, **RINGS})
        return self.place(CALLEE, **params)

    def sensor(self, **arguments: Any) -> TwilioCallSensor:
        return TwilioCallSensor(**{"task_id": "wait", "poke_interval": POLLING, **arguments})

    def rendered(self, *, wrong: dict[str, Any], **arguments: Any) -> TwilioCallSensor:
        """A sensor with what its templates have rendered to."""
        task = self.sensor(**{"call_sid": UNKNOWN_SID, **arguments, **dict.fromkeys(wrong, "{{ wrong }}")})
        vars(task).update(wrong)
        return task

    def event_of(self, trigger: Any) -> dict[str, Any]:
        trigger.poll_interval = POLLING

        async def first() -> dict[str, Any]:
            return (await anext(trigger.run())).payload

        async def bounded() -> dict[str, Any]:
            return await asyncio.wait_for(first(), BOUND)

        return asyncio.run(bounded())

    def poked(self, **arguments: Any) -> Any:
        self.simulator.skip(LONG_ENOUGH)
        return self.sensor(**arguments).execute(self.context)

    def rescheduled(self, **arguments: Any) -> Any:
        with pytest.raises(AirflowRescheduleException):
            self.sensor(mode="reschedule", **arguments).execute(self.context)
        self.ti.first_reschedule_date = datetime.now(timezone.utc) - timedelta(hours=1)
        self.simulator.skip(LONG_ENOUGH)
        return self.sensor(mode="reschedule", **arguments).execute(self.context)

    def deferred(self, **arguments: Any) -> Any:
        with pytest.raises(TaskDeferred) as deferral:
            self.sensor(deferrable=True, **arguments).execute(self.context)
        self.simulator.skip(LONG_ENOUGH)
        event = self.event_of(deferral.value.trigger)
        return self.sensor(deferrable=True, **arguments).resume_execution(
            deferral.value.method_name, {"event": event}, self.context
        )


@pytest.fixture
def wait(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> Wait:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    monkeypatch.setattr(twilio_call, "SHORTEST_DEFERRAL_S", 0)
    return Wait(twilio_simulator)


Way = Callable[..., Any]
in_each_way = pytest.mark.parametrize("way", [Wait.poked, Wait.rescheduled, Wait.deferred])
in_each_mode = pytest.mark.parametrize(
    "mode", [{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}], ids=str
)

BAD_ENDS = pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        ("busy", "the line was busy"),
        ("no-answer", "got no answer"),
        ("failed", "failed: 13224"),
        ("canceled", "was canceled before it was answered"),
    ],
)


# How the call ended --------------------------------------------------------------------------------------------


@in_each_way
def test_completed_call_is_handed_on(wait: Wait, way: Way) -> None:
    sid = wait.place_to_end("human")
    call = way(wait, call_sid=sid)
    assert (call["sid"], call["status"]) == (sid, "completed")
    assert call["to"] == "+1*******0001"
    assert wait.ti.xcoms["call"] == call


@in_each_way
def test_numbers_are_cut_in_all_that_is_handed_on(wait: Wait, way: Way) -> None:
    handed_on = str([way(wait, call_sid=wait.place_to_end("human")), wait.ti.xcoms])
    assert CALLEE not in handed_on
    assert wait.simulator.from_number not in handed_on


@in_each_way
@BAD_ENDS
def test_call_that_ended_badly_fails_for_good_and_is_handed_on(
    wait: Wait, way: Way, outcome: str, sentence: str
) -> None:
    sid = wait.place_to_end(outcome)
    with pytest.raises(AirflowFailException, match=sentence):
        way(wait, call_sid=sid)
    assert wait.ti.xcoms["call"]["status"] == outcome


@in_each_way
@BAD_ENDS
def test_call_that_ended_badly_skips_a_soft_sensor(wait: Wait, way: Way, outcome: str, sentence: str) -> None:
    with pytest.raises(AirflowSkipException):
        way(wait, call_sid=wait.place_to_end(outcome), soft_fail=True)


@in_each_way
def test_voicemail_that_does_not_count_fails_for_good(wait: Wait, way: Way) -> None:
    sid = wait.place_to_end("voicemail", machine_detection="DetectMessageEnd")
    with pytest.raises(AirflowFailException, match="a voicemail or another machine answered"):
        way(wait, call_sid=sid, accept_answered_by={"human"})


@in_each_way
def test_voicemail_that_does_not_count_skips_a_soft_sensor(wait: Wait, way: Way) -> None:
    sid = wait.place_to_end("voicemail", machine_detection="DetectMessageEnd")
    with pytest.raises(AirflowSkipException):
        way(wait, call_sid=sid, accept_answered_by={"human"}, soft_fail=True)


@in_each_way
def test_voicemail_that_counts_is_handed_on(wait: Wait, way: Way) -> None:
    sid = wait.place_to_end("voicemail", machine_detection="DetectMessageEnd")
    call = way(wait, call_sid=sid, accept_answered_by={"machine_end_beep"})
    assert call["answered_by"] == "machine_end_beep"


def test_poking_goes_on_until_the_call_is_over(wait: Wait) -> None:
    wait.simulator.script(CALLEE, {"outcome": "human", "ring": 50})
    call = wait.sensor(call_sid=wait.place(CALLEE)).execute(wait.context)
    assert call["status"] == "completed"
    assert len([request for request in wait.simulator.requests if request.operation == "get"]) > 2


def test_call_that_is_over_is_settled_without_deferral(wait: Wait) -> None:
    sid = wait.place_to_end("human")
    wait.simulator.skip(LONG_ENOUGH)
    assert wait.sensor(call_sid=sid, deferrable=True).execute(wait.context)["status"] == "completed"


def test_call_that_ended_badly_is_settled_without_deferral(wait: Wait) -> None:
    sid = wait.place_to_end("busy")
    wait.simulator.skip(LONG_ENOUGH)
    with pytest.raises(AirflowFailException, match="the line was busy"):
        wait.sensor(call_sid=sid, deferrable=True).execute(wait.context)


@pytest.mark.parametrize("leniency", ["soft_fail", "never_fail"])
def test_lenient_sensor_is_skipped_without_deferral(wait: Wait, leniency: str) -> None:
    sid = wait.place_to_end("busy")
    wait.simulator.skip(LONG_ENOUGH)
    with pytest.raises(AirflowSkipException):
        wait.sensor(call_sid=sid, deferrable=True, **{leniency: True}).execute(wait.context)


def test_reason_that_cannot_be_had_leaves_the_judgement(wait: Wait) -> None:
    sid = wait.place_to_end("failed")
    wait.simulator.inject(Fault(kind="status", status=403, operations={"notifications"}))
    with pytest.raises(AirflowFailException, match="do not say why"):
        wait.poked(call_sid=sid)


# Timeout -------------------------------------------------------------------------------------------------------


@in_each_way
def test_call_that_does_not_end_in_time_is_a_sensor_timeout(wait: Wait, way: Way) -> None:
    with pytest.raises(AirflowSensorTimeout):
        way(wait, call_sid=wait.place(STAYS_QUEUED), timeout=0.2)


@in_each_way
def test_call_that_does_not_end_in_time_skips_a_soft_sensor(wait: Wait, way: Way) -> None:
    with pytest.raises(AirflowSkipException):
        way(wait, call_sid=wait.place(STAYS_QUEUED), timeout=0.2, soft_fail=True)


# What cannot be waited for -------------------------------------------------------------------------------------


@in_each_mode
@pytest.mark.parametrize("call_sid", [None, "None", "CAxyz"])
def test_what_is_no_sid_is_refused_and_the_fix_named(wait: Wait, mode: dict[str, Any], call_sid: Any) -> None:
    with pytest.raises(TwilioCallRefusedError, match="look at the task that places the call"):
        wait.rendered(wrong={"call_sid": call_sid}, **mode).execute(wait.context)
    assert wait.simulator.requests == []


@in_each_mode
def test_misspelt_answerer_is_refused_and_the_fix_named(wait: Wait, mode: dict[str, Any]) -> None:
    with pytest.raises(TwilioCallRefusedError, match="did you mean 'human'"):
        wait.rendered(wrong={"accept_answered_by": {"humen"}}, **mode).execute(wait.context)
    assert wait.simulator.requests == []


@in_each_way
def test_connection_that_is_away_for_a_moment_is_waited_for(
    wait: Wait, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    sid = wait.place_to_end("human")
    find, away = EnvironmentVariablesBackend.get_conn_value, ["once", "twice"]

    def nothing_at_first(self: Any, *args: Any, **kwargs: Any) -> Any:
        return None if away and away.pop() else find(self, *args, **kwargs)

    monkeypatch.setattr(EnvironmentVariablesBackend, "get_conn_value", nothing_at_first)
    assert way(wait, call_sid=sid)["status"] == "completed"
    assert away == []


@in_each_way
@pytest.mark.parametrize("soft_fail", [False, True])
def test_connection_that_is_not_found_until_the_timeout_fails_a_sensor_soft_or_not(
    wait: Wait, way: Way, soft_fail: bool
) -> None:
    arguments = {"twilio_conn_id": "nowhere", "timeout": 0.2, "soft_fail": soft_fail}
    with pytest.raises(
        AirflowFailException, match=r"within 0\.2 s \(timeout\): There is no connection 'nowhere'"
    ):
        way(wait, call_sid=UNKNOWN_SID, **arguments)


@in_each_way
@pytest.mark.parametrize("soft_fail", [False, True])
@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("https://no-such-host.invalid", "No connection to no-such-host.invalid"),
        ("http://127.0.0.1:1", "No connection to 127.0.0.1:1"),
        ("https://127.0.0.1:{port}", "does not speak TLS"),
    ],
)
def test_twilio_that_was_never_reached_until_the_timeout_fails_a_sensor_soft_or_not(
    wait: Wait, way: Way, soft_fail: bool, host: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(wait.simulator.airflow_connection)
    port = urlsplit(wait.simulator.url).port
    monkeypatch.setenv(VARIABLE, json.dumps(connection | {"host": host.format(port=port)}))
    with pytest.raises(TwilioCallFateUnknownError, match=rf"within 0\.2 s \(timeout\): .*{problem}"):
        way(wait, call_sid=UNKNOWN_SID, timeout=0.2, soft_fail=soft_fail)


@pytest.mark.parametrize("deferrable", [False, True])
def test_twilio_out_of_order_until_the_timeout_skips_a_soft_sensor_and_is_named(
    wait: Wait, deferrable: bool
) -> None:
    wait.simulator.inject(Fault(kind="status", status=503, operations={"get"}, times=None))
    way = Wait.deferred if deferrable else Wait.poked
    with pytest.raises(AirflowSkipException, match=r"within 0\.2 s \(timeout\): .*HTTP 503"):
        way(wait, call_sid=wait.place_to_end("human"), timeout=0.2, soft_fail=True)


@in_each_way
@pytest.mark.parametrize("soft_fail", [False, True])
def test_connection_that_cannot_be_used_fails_a_sensor_soft_or_not_at_its_first_look(
    wait: Wait, way: Way, soft_fail: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", '{"conn_type": "twilio", "login": "me"}')
    with pytest.raises(TwilioConnectionError, match="password is empty"):
        way(wait, call_sid=UNKNOWN_SID, twilio_conn_id="broken", soft_fail=soft_fail)


@in_each_way
@pytest.mark.parametrize("soft_fail", [False, True])
@pytest.mark.parametrize(("status", "code"), [(401, 20003), (403, 20008)])
def test_credentials_that_twilio_refuses_fail_a_sensor_soft_or_not(
    wait: Wait, way: Way, soft_fail: bool, status: int, code: int
) -> None:
    sid = wait.place_to_end("human")
    refused = Fault(kind="status", status=status, code=code, operations={"get"}, times=None)
    # The first look of a sensor that defers, or is rescheduled, is made before that.
    wait.simulator.inject(refused.model_copy(update={"skip": 0 if way is Wait.poked else 1}))
    with pytest.raises(TwilioCallFateUnknownError, match=f"cannot be seen.*code {code}"):
        way(wait, call_sid=sid, soft_fail=soft_fail)


@in_each_mode
@pytest.mark.parametrize("wrong", [{"call_sid": "None"}, {"accept_answered_by": {"humen"}}], ids=str)
def test_wrong_argument_fails_a_soft_sensor(wait: Wait, mode: dict[str, Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(TwilioCallRefusedError):
        wait.rendered(wrong=wrong, soft_fail=True, **mode).execute(wait.context)


@in_each_way
def test_call_that_twilio_does_not_know_until_the_timeout_fails_a_soft_sensor(wait: Wait, way: Way) -> None:
    with pytest.raises(TwilioCallFateUnknownError, match="Check the SID"):
        way(wait, call_sid=UNKNOWN_SID, timeout=0.2, soft_fail=True)


@in_each_mode
def test_never_fail_is_taken_at_its_word(wait: Wait, mode: dict[str, Any]) -> None:
    with pytest.raises(AirflowSkipException, match="look at the task that places the call"):
        wait.rendered(wrong={"call_sid": "None"}, never_fail=True, **mode).execute(wait.context)


@in_each_way
@pytest.mark.parametrize(
    ("outcome", "timeout", "said"),
    [("busy", 60 * 60 * 24, "the line was busy"), ("queued", 0.2, "0.2")],
    ids=["ended-badly", "timeout"],
)
def test_skipped_sensor_says_why_in_one_line(
    wait: Wait,
    way: Way,
    outcome: str,
    timeout: float,
    said: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sid = wait.place_to_end(outcome)
    with pytest.raises(AirflowSkipException, match=said) as skipped:
        way(wait, call_sid=sid, soft_fail=True, timeout=timeout)
    assert f"Skipped (soft_fail): {skipped.value}" in caplog.text + "".join(capfd.readouterr())


def test_unknown_call_is_given_up_while_poking(wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "NOT_FOUND_PATIENCE_S", 0.1)
    with pytest.raises(AirflowFailException, match="Check the SID"):
        wait.poked(call_sid=UNKNOWN_SID)


def test_unknown_call_is_given_up_while_deferred(wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "NOT_FOUND_PATIENCE_S", 0.1)
    with pytest.raises(AirflowFailException, match="Check the SID"):
        wait.deferred(call_sid=UNKNOWN_SID)


def test_unknown_call_is_given_up_once_it_was_poked_for_long(wait: Wait) -> None:
    with pytest.raises(AirflowFailException, match="Check the SID"):
        wait.rescheduled(call_sid=UNKNOWN_SID)


# Transient errors ----------------------------------------------------------------------------------------------


TRANSIENT = pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="drop", operations={"get"}),
        Fault(kind="html", operations={"get"}),
        Fault(kind="html", status=200, operations={"get"}),
        Fault(kind="truncated", operations={"get"}),
        Fault(kind="status", status=503, operations={"get"}),
        Fault(kind="not-found"),
    ],
    ids=lambda fault: f"{fault.kind.value}-{fault.status}",
)


@in_each_way
@TRANSIENT
def test_a_transient_error_is_waited_out(wait: Wait, way: Way, fault: Fault) -> None:
    sid = wait.place_to_end("human")
    wait.simulator.inject(fault)
    assert way(wait, call_sid=sid)["status"] == "completed"
    assert [fault["struck"] for fault in wait.simulator.faults] == [1]


# Leaving the call alone ----------------------------------------------------------------------------------------


@in_each_way
def test_sensor_only_ever_looks(wait: Wait, way: Way) -> None:
    sid = wait.place_to_end("failed")
    with pytest.raises(AirflowFailException):
        way(wait, call_sid=sid)
    placed, *looks = wait.simulator.requests
    assert placed.operation == "create"
    assert {look.method for look in looks} == {"GET"}
    assert wait.simulator.refused == []


def test_killed_sensor_does_nothing_to_its_call(wait: Wait) -> None:
    sensor = wait.sensor(call_sid=wait.place_to_end("human"), mode="reschedule")
    with pytest.raises(AirflowRescheduleException):
        sensor.execute(wait.context)
    sensor.on_kill()
    assert TwilioCallSensor.on_kill is BaseOperator.on_kill
    assert [request.operation for request in wait.simulator.requests] == ["create", "get"]
