"""The life of a call once it has left the queue: what happens when, as planned by its ending."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from airflow_provider_twiliocall.simulator.calls.endings import Outcome
from airflow_provider_twiliocall.simulator.calls.simulated_call import SimulatedCall
from airflow_provider_twiliocall.twilio.call import AnsweredBy, CallStatus

DEFAULT_TIMEOUT = 60.0
LONGEST_CALL = 14_400.0
PRICE_PER_MINUTE = 0.013
PRICE_DELAY = 5.0
RECORDING_DELAY = 2.0
SHORTEST_TALK = 8.0
"""How long somebody at least stays on the line who was only told something, where the ending does not say."""

# How long detection listens before it knows, in simulated seconds.
_LISTENING = {
    AnsweredBy.HUMAN: 4.0,
    AnsweredBy.UNKNOWN: 4.0,
    AnsweredBy.FAX: 3.0,
    AnsweredBy.MACHINE_START: 4.0,
}
_LISTENING_TO_A_GREETING = 10.0
_DEFAULT_DETECTION_TIMEOUT = 30.0

_UNANSWERED = {
    Outcome.BUSY: CallStatus.BUSY,
    Outcome.NO_ANSWER: CallStatus.NO_ANSWER,
    Outcome.REJECTED: CallStatus.NO_ANSWER,
    Outcome.REJECTED_AS_BUSY: CallStatus.BUSY,
    Outcome.CANCELED: CallStatus.CANCELED,
    Outcome.FAILED: CallStatus.FAILED,
}


class Step(str, Enum):
    """What can happen to a call."""

    RINGS = "rings"
    IS_ANSWERED = "is answered"
    IS_DETECTED = "is detected"
    ENDS = "ends"
    RECORDING_IS_READY = "recording is ready"
    IS_PRICED = "is priced"
    TIME_IS_UP = "time is up"
    KEY_IS_PRESSED = "key is pressed"


@dataclass(frozen=True)
class Planned:
    """A step, this many simulated seconds after the call was dialed (or ended, for what follows its end)."""

    after: float
    step: Step
    status: CallStatus | None = None
    answered_by: AnsweredBy | None = None
    duration: int | None = None
    turn: int = 0
    key: str = ""


def life_of(call: SimulatedCall) -> list[Planned]:
    """What will happen to a call that is being dialed now, unless somebody ends it before."""
    ending = call.ending
    if ending.outcome is Outcome.FAILED:
        return [Planned(ending.ring_seconds, Step.ENDS, CallStatus.FAILED)]
    rings = Planned(0.0, Step.RINGS, CallStatus.RINGING)
    timeout = call.seconds("Timeout", DEFAULT_TIMEOUT)
    if ending.ring_seconds >= timeout:
        return [rings, Planned(timeout, Step.ENDS, CallStatus.NO_ANSWER)]
    if not ending.outcome.is_answered:
        return [rings, Planned(ending.ring_seconds, Step.ENDS, _UNANSWERED[ending.outcome])]

    answered = ending.ring_seconds
    steps = [rings, Planned(answered, Step.IS_ANSWERED, CallStatus.IN_PROGRESS)]
    longest = call.seconds("TimeLimit", LONGEST_CALL)
    length = longest if ending.talk is None else ending.talk
    if call.detects_machines:
        answered_by, listening = _detection(call)
        if call.waits_for_detection:
            length += listening
        if listening <= min(longest, length):
            steps.append(Planned(answered + listening, Step.IS_DETECTED, answered_by=answered_by))
    length = min(length, longest)
    steps.append(Planned(answered + length, Step.ENDS, CallStatus.COMPLETED, duration=math.ceil(length)))
    return steps


def after_the_end(call: SimulatedCall) -> list[Planned]:
    """What still comes once an answered call is over: its recording, then its price."""
    if call.answered_at is None:
        return []
    steps = [Planned(PRICE_DELAY, Step.IS_PRICED)]
    if call.recording is not None:
        steps.insert(0, Planned(RECORDING_DELAY, Step.RECORDING_IS_READY))
    return steps


def price_of(call: SimulatedCall) -> str:
    """What a finished call cost: begun minutes, as the negative decimal string Twilio sends."""
    minutes = max(1, math.ceil((call.duration or 0) / 60))
    return f"-{minutes * PRICE_PER_MINUTE:.5f}"


def _detection(call: SimulatedCall) -> tuple[AnsweredBy, float]:
    """Whom detection will hear, and how long it listens."""
    patience = call.seconds("MachineDetectionTimeout", _DEFAULT_DETECTION_TIMEOUT)
    outcome = call.ending.outcome
    heard = {Outcome.FAX: AnsweredBy.FAX, Outcome.UNKNOWN: AnsweredBy.UNKNOWN}.get(outcome, AnsweredBy.HUMAN)
    if outcome is not Outcome.VOICEMAIL:
        listening = _LISTENING[heard]
    elif call.get("MachineDetection") == "DetectMessageEnd":
        heard, listening = call.ending.machine_end, _LISTENING_TO_A_GREETING
    else:
        heard = AnsweredBy.MACHINE_START
        listening = _LISTENING[heard]
    return (heard, listening) if listening <= patience else (AnsweredBy.UNKNOWN, patience)
