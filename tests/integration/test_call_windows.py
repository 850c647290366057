"""When a reminder may ring, when it has become pointless, and whom it must not ring."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
)
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.pauses import PausingRun
from tests.integration.ring_task import (
    SOMEBODY,
    SOMEBODY_ELSE,
    STAYS_QUEUED,
    VARIABLE,
    changed,
    on,
    posts,
    statuses,
    waiting,
)
from tests.integration.tries import CLEARED
from tests.support.interruption import DeadlyStore, Killed
from tests.support.task_context import RecordingTaskInstance
from tests.support.virtual_time import VirtualTime

pytestmark = pytest.mark.usefixtures("connection")

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def remind(to: str = SOMEBODY, **arguments: Any) -> Any:
    return waiting(to, **{"poll_interval": 10, **arguments})


# The window


def test_inside_its_window_a_phone_rings_at_once(run: PausingRun) -> None:
    run.try_once(remind(call_window=run.window(-HOUR, HOUR)))

    assert run.pauses == []


def test_before_its_window_the_task_waits_deferred_and_rings_when_it_opens(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    given = run.window(8 * HOUR, 9 * HOUR)
    opens = CallWindow.from_value(given).opens_after(datetime.fromtimestamp(run.clock.time(), timezone.utc))

    run.try_once(remind(call_window=given))

    (call,) = twilio_simulator.calls
    created = datetime.strptime(call["date_created"], "%a, %d %b %Y %H:%M:%S %z")
    assert len(run.pauses) == 1
    assert opens <= created < opens + MINUTE


def test_nothing_of_the_callee_is_kept_while_the_task_waits_for_the_opening(run: PausingRun) -> None:
    with pytest.raises(TaskDeferred) as paused:
        remind(call_window=run.window(HOUR, 2 * HOUR)).execute(run.context())

    path, kwargs = paused.value.trigger.serialize()
    assert path == "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
    assert SOMEBODY not in f"{kwargs} {paused.value.kwargs} {run.store}"


def test_outside_its_window_a_call_is_skipped_where_the_author_says_so(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    with pytest.raises(AirflowSkipException, match="outside the call window"):
        run.try_once(remind(call_window=run.window(HOUR, 2 * HOUR), on_outside_window="skip"))

    assert twilio_simulator.requests == []


def test_outside_its_window_a_call_fails_for_good_where_the_author_says_so(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    with pytest.raises(TwilioCallRefusedError, match="Nothing was dialled: It is outside the call window"):
        run.try_once(remind(call_window=run.window(HOUR, 2 * HOUR), on_outside_window="fail"))

    assert twilio_simulator.requests == []


@pytest.mark.parametrize("as_a_template_renders_it", [str, lambda given: CallWindow(**given), dict])
def test_a_window_may_come_from_a_template(run: PausingRun, as_a_template_renders_it: Any) -> None:
    given = as_a_template_renders_it(run.window(HOUR, 2 * HOUR))

    with pytest.raises(AirflowSkipException):
        run.try_once(remind(call_window=given, on_outside_window="skip"))


PARISIAN, RUSSIAN = "+33612345678", "+79161234567"


def hours_in_paris(run: PausingRun, begin: timedelta, end: timedelta) -> dict[str, str]:
    """Hours around the present by the clock in Paris, of whoever is called."""
    now = datetime.fromtimestamp(run.clock.time(), ZoneInfo("Europe/Paris"))
    return {"start": f"{now + begin:%H:%M}", "end": f"{now + end:%H:%M}", "timezone": "callee"}


def test_a_callee_is_rung_by_the_clock_that_goes_with_the_number(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    run.try_once(remind(PARISIAN, call_window=hours_in_paris(run, -HOUR, HOUR)))

    assert posts(twilio_simulator) == 1


def test_a_callee_is_not_rung_outside_the_hours_of_the_clock_that_goes_with_the_number(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    given = hours_in_paris(run, HOUR, 2 * HOUR)

    with pytest.raises(AirflowSkipException, match="in Europe/Paris"):
        run.try_once(remind(PARISIAN, call_window=given, on_outside_window="skip"))

    assert posts(twilio_simulator) == 0


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        (
            RUSSIAN,
            r"is never open in all of the 16 time zones of \+7\*{7}4567 .*: give it the callee's timezone",
        ),
        (
            "client:ann",
            "cannot be used for client:a[*]+, because no time zone is known for it: name the callee's",
        ),
    ],
)
@pytest.mark.parametrize("on_outside_window", ["wait", "skip", "fail"])
def test_a_callee_whose_zone_nobody_can_tell_is_not_rung(
    twilio_simulator: TwilioSimulator, run: PausingRun, to: str, problem: str, on_outside_window: str
) -> None:
    given = {"start": "09:00", "end": "12:00", "timezone": "callee"}
    task = remind(to, from_="+15005559000", call_window=given, on_outside_window=on_outside_window)

    with pytest.raises(TwilioCallRefusedError, match=f"Nothing was dialled: .*{problem}"):
        run.try_once(task)

    assert posts(twilio_simulator) == 0


def test_holidays_of_a_country_that_is_not_known_ring_nobody(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    with pytest.raises(TwilioCallRefusedError, match="Nothing was dialled: holidays='XX' is not a country"):
        run.try_once(remind(call_window={**run.window(-HOUR, HOUR), "holidays": "XX"}))

    assert posts(twilio_simulator) == 0


def test_a_window_that_renders_to_nonsense_rings_nobody(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    task = remind()
    task.call_window = {"start": "09:00", "end": "20:00", "timezone": "Europe/Pariss"}

    with pytest.raises(TwilioCallRefusedError, match="timezone='Europe/Pariss'"):
        run.try_once(task)

    assert twilio_simulator.requests == []


def test_a_window_that_native_rendering_makes_nothing_of_rings_nobody(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    task = remind(call_window="{{ nothing }}")
    task.call_window = None

    with pytest.raises(TwilioCallRefusedError, match="the call window is None"):
        run.try_once(task)

    assert twilio_simulator.requests == []


# Expiry


def test_a_reminder_of_a_run_that_is_long_past_is_skipped(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    run.run_after = run.clock.time() - 7200

    with pytest.raises(AirflowSkipException, match="too late for this call"):
        run.try_once(remind(expires_after=HOUR))

    assert twilio_simulator.requests == []


def test_a_reminder_of_this_hour_rings(run: PausingRun) -> None:
    run.run_after = run.clock.time() - 1800

    run.try_once(remind(expires_after=HOUR))

    assert run.ti.xcoms["call"]["status"] == "completed"


def test_a_reminder_that_expires_before_its_window_opens_is_skipped_at_once(run: PausingRun) -> None:
    with pytest.raises(AirflowSkipException, match="too late for this call"):
        run.try_once(remind(call_window=run.window(2 * HOUR, 3 * HOUR), expires_after=3600))

    assert run.pauses == []


def test_a_reminder_that_expires_while_its_answer_is_looked_for_does_not_deny_a_call_that_may_ring(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    run.run_after = run.clock.time()
    twilio_simulator.inject(on("create", kind="drop"))

    with pytest.raises(AirflowSkipException, match="A call may have been placed, and its phone may ring"):
        run.try_once(remind(expires_after=5, delivery="at_least_once"))

    assert posts(twilio_simulator) == 1


def test_a_reminder_that_expires_in_twilios_queue_is_canceled_while_queued(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    run.run_after = run.clock.time()

    with pytest.raises(AirflowSkipException, match="too late for this call"):
        run.try_once(remind(STAYS_QUEUED, expires_after=120))

    assert statuses(twilio_simulator) == ["canceled"]


# Do not call


@pytest.mark.parametrize(
    "listed", [[SOMEBODY], ["+1 555-123-0001"], "+1 (555) 123 0001, +15005550009", {SOMEBODY, SOMEBODY_ELSE}]
)
def test_who_is_on_the_list_is_skipped(
    twilio_simulator: TwilioSimulator, run: PausingRun, listed: Any
) -> None:
    with pytest.raises(AirflowSkipException, match="on the do-not-call list"):
        run.try_once(remind(do_not_call=listed))

    assert twilio_simulator.requests == []


@pytest.mark.parametrize(
    ("listed", "to"),
    [
        (SOMEBODY, f"sip:{SOMEBODY}@trunk.example.com"),
        ([SOMEBODY], "(555) 123-0001"),
        ("(555) 123-0001", SOMEBODY),
        ("sip:5551230001@trunk.example.com", SOMEBODY),
    ],
)
def test_who_is_on_the_list_in_another_way_of_writing_is_skipped(
    twilio_simulator: TwilioSimulator,
    run: PausingRun,
    monkeypatch: pytest.MonkeyPatch,
    listed: Any,
    to: str,
) -> None:
    extra = {"default_country": "US", "from": twilio_simulator.from_number}
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, extra=extra))

    with pytest.raises(AirflowSkipException, match="on the do-not-call list"):
        run.try_once(remind(to=to, do_not_call=listed))

    assert twilio_simulator.requests == []


def test_who_is_not_on_the_list_is_called(run: PausingRun) -> None:
    run.try_once(remind(do_not_call=[SOMEBODY_ELSE]))

    assert run.ti.xcoms["call"]["status"] == "completed"


def test_the_list_may_be_an_airflow_variable(run: PausingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_OPTED_OUT", f"+15005550009\n{SOMEBODY}")

    with pytest.raises(AirflowSkipException, match="on the do-not-call list"):
        run.try_once(remind(do_not_call="opted_out"))


def test_nobody_is_called_while_the_variable_cannot_be_read(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    with pytest.raises(TwilioCallNotPlacedError, match="names the Variable 'nobody_made_it'"):
        run.try_once(remind(do_not_call="nobody_made_it"))

    assert twilio_simulator.requests == []


def test_nobody_is_called_by_a_list_that_cannot_be_compared(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    with pytest.raises(TwilioCallRefusedError, match="entry 1"):
        run.try_once(remind(do_not_call=["555 123 0001"]))

    assert twilio_simulator.requests == []


def test_a_list_that_native_rendering_makes_nothing_of_rings_nobody(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    task = remind(do_not_call="{{ nothing }}")
    task.do_not_call = None

    with pytest.raises(TwilioCallRefusedError, match="do_not_call is empty"):
        run.try_once(task)

    assert twilio_simulator.requests == []


# Together


def test_the_next_dial_waits_for_the_window_too(twilio_simulator: TwilioSimulator, run: PausingRun) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])

    run.try_once(remind(call_window=run.window(-HOUR, 3 * MINUTE), max_dials=2, redial_after=300))

    assert len(run.pauses) == 1 and run.pauses[0] > 3600
    assert statuses(twilio_simulator) == ["busy", "completed"]


def test_who_was_rung_in_vain_before_the_closing_was_not_skipped(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    given = run.window(-HOUR, 3 * MINUTE)

    with pytest.raises(TwilioCallEndedForGoodError, match="nobody was reached before: busy"):
        run.try_once(remind(call_window=given, on_outside_window="skip", max_dials=2, redial_after=300))

    assert posts(twilio_simulator) == 1


def test_a_crash_while_the_call_rings_takes_it_up_though_the_window_has_closed(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "talk": 600})
    store = DeadlyStore(after="placed")
    run = PausingRun(clock, store=store)
    arguments = {"call_window": run.window(-HOUR, 3 * MINUTE), "time_limit": 14_400}
    with pytest.raises(Killed):
        run.try_once(remind(**arguments))
    clock.sleep(300)
    run.store = store.survivor()

    run.try_once(remind(**arguments))

    assert statuses(twilio_simulator) == ["completed"]


def test_a_clear_that_waits_for_the_window_has_no_part_in_the_call_of_the_run_before(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    run = PausingRun(clock)
    run.try_once(remind())
    cleared = PausingRun(clock, store=run.store, ti=RecordingTaskInstance(max_tries=CLEARED))
    task = remind(call_window=run.window(HOUR, 2 * HOUR))
    with pytest.raises(TaskDeferred):
        task.execute(cleared.context())

    with pytest.raises(TaskDeferred) as again:
        task.resume_execution("__fail__", {"error": "the triggerer is gone"}, cleared.context())

    assert again.value.method_name == "execute_next_call"
    assert posts(twilio_simulator) == 1


def test_a_pause_for_the_window_that_broke_off_after_a_call_was_canceled_while_queued_is_begun_again(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    twilio_simulator.script(SOMEBODY, [{"outcome": "queued"}, "human"])
    run = PausingRun(clock)
    task = remind(call_window=run.window(-HOUR, 3 * MINUTE))
    with pytest.raises(TaskDeferred):
        task.execute(run.context())

    with pytest.raises(TaskDeferred) as again:
        task.resume_execution("__fail__", {"error": "the triggerer is gone"}, run.context())

    assert again.value.method_name == "execute_next_call"
    assert statuses(twilio_simulator) == ["canceled"]
