"""Who watches a task that rings, and says what must not have happened, and what is excused and why."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallFateUnknownError,
    TwilioCallMaybePlacedError,
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
    TwilioCallUnansweredError,
)
from airflow_provider_twiliocall.journal.queue_deadline import CLOCK_SLACK_S
from tests.integration.ring_once_machine import RingTask
from tests.integration.ring_once_stage import OVER, QUEUE_TIMEOUT_S, Process, Ring, Settings, Stage

BAD = ("busy", "no-answer", "failed")


class Judge:
    """Sees every dial and every end, and keeps what must not have happened."""

    def __init__(self, stage: Stage, count: Any) -> None:
        self._stage = stage
        self._count = count
        self.broken: list[str] = []

    def claim(self, holds: object, sentence: str) -> None:
        if not holds:
            self.broken.append(sentence)

    # Dialling ---------------------------------------------------------------------------------------------

    def dialled(self, task: RingTask, ring: Ring) -> None:
        """A call was placed: was there leave to?"""
        calls = self._calls()
        for earlier in list(task.rings.values())[:-1]:
            call = calls[earlier.sid]
            if earlier.intention == ring.intention:
                self._redialled(task, earlier, call)
            elif call["status"] not in OVER:
                self._left_alive_by_a_clear(task, earlier, call)

    def _redialled(self, task: RingTask, earlier: Ring, call: dict[str, Any]) -> None:
        if why_dial_again(task.settings, earlier, call):
            return
        if task.settings.delivery == "at_least_once" and not earlier.is_written_down:
            self._count("excused: at_least_once rang twice when an answer was lost")
            return
        if earlier.is_mark_premature and call["status"] in OVER:
            self._count("excused: the process could not finish ending a call, which then ended by itself")
            return
        if self._was_canceled_late(call):
            return
        self.claim(False, f"rang again while {earlier.sid} was {call['status']}")

    def _left_alive_by_a_clear(self, task: RingTask, earlier: Ring, call: dict[str, Any]) -> None:
        if task.settings.when_killed == "leave":
            return
        if task.settings.when_killed == "cancel" and call["status"] == "in-progress":
            return
        if not earlier.is_written_down:
            self._count("excused: a clear could not end a call whose SID nobody had learned")
            return
        self.claim(False, f"a clear dialled while {earlier.sid} of the run before was {call['status']}")

    def ended(self, task: RingTask, ring: Ring, process: Process | None) -> None:
        """A request of the task's has ended a call: was it the task's to end?"""
        if process is not None and process.intention < ring.intention:
            self.claim(False, f"a process of a run before has ended {ring.sid}")

    # The end of a process ---------------------------------------------------------------------------------

    def process_ended(self, task: RingTask, process: Process) -> None:
        """A try, or a part of one, is over: is what it says true?"""
        kind = type(process.error).__name__ if process.error else process.end
        self._count(f"end: {kind}{' (superseded)' if process.is_superseded else ''}")
        if process.is_superseded or process.is_cut_off:
            return
        self._written(task, process)
        calls = self._calls()
        rings = [ring for ring in task.rings.values() if ring.intention == process.intention]
        if process.end == "success":
            self._succeeded(task, process, calls)
        elif process.error is not None:
            self._failed(task, process, process.error, rings, calls)

    def _written(self, task: RingTask, process: Process) -> None:
        """Does the journal tell who ended the call? It cannot where process, store or Twilio failed in between."""
        hindered = process.end == "died" or process.missed_store
        for ring in [each for each in process.ended if each.intention == process.intention]:
            ring.is_end_unwritten = (
                task.written.get("call_sid") == ring.sid and not task.written["ended_by_us"]
            )
            if ring.is_end_unwritten and not hindered:
                self.claim(False, f"{ring.sid} was ended by us, and the journal does not say so")
        ring = task.rings.get(task.written.get("call_sid", ""))
        is_marked = ring is not None and task.written["ended_by_us"] and not ring.is_mark_premature
        if is_marked and not ring.is_ended_by_us:
            ring.is_mark_premature = True
            canceled_late = self._was_canceled_late(self._calls()[ring.sid])
            if not hindered and not process.lost_an_ending and not canceled_late:
                self.claim(False, f"{ring.sid} was not ended by us, and the journal says so")

    def _succeeded(self, task: RingTask, process: Process, calls: dict[str, Any]) -> None:
        ring = task.rings.get(process.result)
        self.claim(ring, "success without a call")
        if ring is None:
            return
        self.claim(ring.intention == process.intention, "success with the call of an earlier run")
        self.claim(task.xcoms.get("call_sid") == ring.sid, "XCom call_sid is not the call's")
        if ring.is_ended_by_us and not self._could_not_write(ring):
            self.claim(False, "success with a call that we ended")
        if task.settings.waits:
            call = calls[ring.sid]
            self.claim(is_wanted(task.settings, call), f"success with a call that is {call['status']}")
            self.claim(task.xcoms["call"]["status"] == "completed", "XCom call is not that of the end")

    def _failed(
        self, task: RingTask, process: Process, error: BaseException, rings: list[Ring], calls: dict[str, Any]
    ) -> None:
        heard = [ring.sid for ring in rings if self._was_heard(task, ring, calls[ring.sid])]
        if isinstance(error, TwilioCallUnansweredError):
            self.claim(rings, "unanswered, and nothing rang")
            self.claim(not heard, f"{heard} answered and reported otherwise: {error}")
        elif isinstance(error, TwilioCallEndedForGoodError):
            canceled = [ring for ring in rings if calls[ring.sid]["status"] == "canceled"]
            elsewhere = [ring for ring in canceled if not ring.is_ended_by_us or self._could_not_write(ring)]
            self.claim(elsewhere, f"canceled by somebody else, and was not: {error}")
        elif isinstance(error, (TwilioCallNotPlacedError, TwilioCallRefusedError)):
            self.claim(not process.rings, f"a call was placed and reported otherwise: {error}")
            self._refused_truly(task, error, calls)
        elif isinstance(error, TwilioCallFateUnknownError):
            self.claim(self._stage.disturbed, f"fate unknown without a fault: {error}")
            if task.settings.delivery == "at_least_once":
                self.claim(rings, f"at_least_once gave up and nothing rang: {error}")
        elif isinstance(error, TwilioCallMaybePlacedError):
            self.claim(self._stage.disturbed, f"perhaps placed, without a fault: {error}")
        elif isinstance(error, AirflowTaskTimeout):
            self.claim(
                process.was_timed_out or task.settings.execution_timeout or "nobody took" in str(error),
                f"out of time too early: {error}",
            )
            hindered = process.failed_while_ending or self._was_shown_the_past(process)
            if heard and not hindered and task.settings.when_killed == "leave":
                # It only looks, through transient errors, and nothing is written down of that.
                hindered = self._was_answered_badly_at_last(process)
                if hindered:
                    self._count("excused: the last look of a task that leaves its call alone showed nothing")
            self.claim(not heard or hindered, f"{heard} answered and reported otherwise: {error}")
        elif isinstance(error, AirflowFailException):
            self.claim(False, f"failed for good: {error!r}")

    def _refused_truly(self, task: RingTask, error: BaseException, calls: dict[str, Any]) -> None:
        if not str(error).startswith("Nothing was dialled"):
            return
        for ring in task.rings.values():
            if ring.is_written_down:
                self.claim(calls[ring.sid]["status"] in OVER, f"{ring.sid} goes on, and was denied: {error}")

    def _was_shown_the_past(self, process: Process) -> bool:
        stale = [request for request in self._stage.simulator.requests if request.fault == "stale"]
        return any(request.received_at >= process.started for request in stale)

    def _was_answered_badly_at_last(self, process: Process) -> bool:
        asked = [each for each in self._stage.simulator.requests if each.received_at >= process.started]
        return bool(asked) and asked[-1].fault is not None

    def _was_heard(self, task: RingTask, ring: Ring, call: dict[str, Any]) -> bool:
        if ring.is_ended_by_us or ring.is_mark_premature or not is_wanted(task.settings, call):
            return False
        return ring.is_written_down or task.settings.delivery == "at_most_once"

    def _was_canceled_late(self, call: dict[str, Any]) -> bool:
        """By somebody else, when its time in Twilio's queue was up: the task would have done so in that moment."""
        if call["status"] != "canceled" or call["start_time"]:
            return False
        took = parsedate_to_datetime(call["end_time"]) - parsedate_to_datetime(call["date_created"])
        if is_late := took.total_seconds() >= QUEUE_TIMEOUT_S - CLOCK_SLACK_S - 1:
            self._count(
                "excused: somebody canceled a call in the seconds in which its time in the queue was up"
            )
        return is_late

    def _could_not_write(self, ring: Ring) -> bool:
        # The process died, or the store was away, between the end of the call and the note about it.
        if ring.is_end_unwritten:
            self._count("excused: it could not be written down who ended the call")
        return ring.is_end_unwritten

    # The end of the task ----------------------------------------------------------------------------------

    def over(self, task: RingTask) -> None:
        """Nothing runs any more: is anything still ringing?"""
        if task.settings.when_killed != "hang_up" or not task.settings.waits or task.process is None:
            return
        calls = self._calls()
        for ring in task.rings.values():
            if calls[ring.sid]["status"] in OVER:
                continue
            excuse = self._excuse(task, task.process, ring)
            if excuse:
                self._count(f"excused: call goes on, {excuse}")
            else:
                self.claim(False, f"{ring.sid} is {calls[ring.sid]['status']} after the task was over")

    def _excuse(self, task: RingTask, last: Process, ring: Ring) -> str | None:
        if task.was_killed_unattended:
            return "marked before a triggerer had taken it up"
        if last.end == "died":
            return "the last process was killed by force"
        if not ring.is_written_down:
            return "its SID was never learned"
        if last.missed_store:
            return "the journal could not be read"
        if last.failed_in_handler:
            return "Twilio could not be reached by the dying process"
        return None

    def _calls(self) -> dict[str, dict[str, Any]]:
        return {call["sid"]: call for call in self._stage.simulator.calls}


def is_wanted(settings: Settings, call: dict[str, Any]) -> bool:
    accepted = settings.accept_answered_by
    return call["status"] == "completed" and (accepted is None or call["answered_by"] in accepted)


def why_dial_again(settings: Settings, ring: Ring, call: dict[str, Any]) -> str | None:
    """The table of what allows a second ring within one run; None where it is not allowed."""
    if call["status"] not in OVER:
        return None
    if ring.is_ended_by_us:
        return "ended by us"
    if not settings.waits:
        return None
    if call["status"] in BAD:
        return "ended badly"
    return (
        "not by whom we wanted" if call["status"] == "completed" and not is_wanted(settings, call) else None
    )
