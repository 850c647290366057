"""How a call ends: endings for scripts, and numbers with an ending of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from airflow_provider_twiliocall.simulator.calls.presses import Press
from airflow_provider_twiliocall.twilio.call import AnsweredBy


class Outcome(str, Enum):
    """What becomes of a call."""

    HUMAN = "human"
    LATE = "late"
    VOICEMAIL = "voicemail"
    FAX = "fax"
    UNKNOWN = "unknown"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    REJECTED = "rejected"
    REJECTED_AS_BUSY = "rejected-as-busy"
    CANCELED = "canceled"
    FAILED = "failed"
    QUEUED = "queued"

    @property
    def is_answered(self) -> bool:
        """Whether somebody or something picks up."""
        return self in _ANSWERED


_ANSWERED = {Outcome.HUMAN, Outcome.LATE, Outcome.VOICEMAIL, Outcome.FAX, Outcome.UNKNOWN}

_RING = {
    Outcome.HUMAN: 3.0,
    Outcome.LATE: 45.0,
    Outcome.VOICEMAIL: 15.0,
    Outcome.FAX: 4.0,
    Outcome.UNKNOWN: 4.0,
    Outcome.BUSY: 2.0,
    Outcome.NO_ANSWER: float("inf"),
    Outcome.REJECTED: 4.0,
    Outcome.REJECTED_AS_BUSY: 4.0,
    Outcome.CANCELED: 4.0,
    Outcome.FAILED: 1.0,
    Outcome.QUEUED: 0.0,
}

FAILURES: dict[int, str] = {
    13224: "Dial: Twilio does not support calling this number or the number is invalid",
    13227: "Geo Permission configuration is not permitting call",
    21215: "Account not authorized to call the number: enable its country in the geographic permissions",
    32205: "SIP: geographic permissions do not allow this call",
}


class Ending(BaseModel):
    """How one call ends. All times in simulated seconds.

    :param outcome: what happens, see :class:`Outcome`.
    :param ring: how long the phone rings before that; unset: a usual time for the outcome. A shorter
        ``Timeout`` of the call ends the ringing first.
    :param talk: how long the callee stays on the line after the answer (and after machine detection, if that is
        on). Unset: until the TwiML is over, and for at least 8 s.
    :param presses: the keys that the callee presses, one entry for each time that keys are asked for, as ``"1"``,
        or ``{"keys": "1", "after": 5}``; see :class:`~.presses.Press`. Several entries may end one ``<Gather>``.
    :param error_code: what the notification of a failed call says; 0 for a call that fails without one.
    :param message: the words of that notification; unset: those of the code.
    :param machine_end: what ``DetectMessageEnd`` reports for a voicemail.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    ring: float | None = Field(default=None, ge=0)
    talk: float | None = Field(default=None, ge=0)
    presses: tuple[Press, ...] = ()
    error_code: int = Field(default=13224, ge=0)
    message: str | None = None
    machine_end: AnsweredBy = AnsweredBy.MACHINE_END_BEEP

    @model_validator(mode="after")
    def _somebody_presses(self) -> Ending:
        if self.presses and not self.outcome.is_answered:
            raise ValueError(
                f"presses: nobody presses keys in a call with the outcome {self.outcome.value!r}"
            )
        return self

    @property
    def ring_seconds(self) -> float:
        """How long the phone rings, if nothing cuts it short."""
        return _RING[self.outcome] if self.ring is None else self.ring

    @property
    def failure(self) -> str:
        """The words of the notification of a failed call."""
        return self.message or FAILURES.get(self.error_code, f"Error {self.error_code}")


EndingLike: TypeAlias = "Ending | str | Mapping[str, Any]"


def as_ending(value: EndingLike) -> Ending:
    """An ending from its name, ``"failed:13227"`` (failed, with that code), a dict of fields, or itself."""
    if isinstance(value, Ending):
        return value
    if isinstance(value, str):
        name, _, code = value.partition(":")
        if code and name != Outcome.FAILED:
            raise ValueError(f"{value!r}: only 'failed' takes an error code, as in 'failed:13227'")
        fields: dict[str, Any] = {"outcome": name}
        if code:
            fields["error_code"] = code
        return Ending.model_validate(fields)
    return Ending.model_validate(value)


def as_endings(value: EndingLike | Sequence[EndingLike]) -> tuple[Ending, ...]:
    """One ending, or one for each call in turn; the last one is used for all later calls."""
    several = isinstance(value, Sequence) and not isinstance(value, str)
    endings = tuple(as_ending(each) for each in value) if several else (as_ending(value),)  # type: ignore[arg-type]
    if not endings:
        raise ValueError("no ending given: name one, or a list with one for each call in turn")
    return endings


# Every number here starts with +1500555, an exchange that belongs to Twilio's tests and rings nobody's phone.
# Several endings take turns, so that a DAG shows the same at every run.
NUMBERS: dict[str, tuple[Ending, ...]] = {
    "+15005550006": as_endings("human"),
    "+15005551000": as_endings("human"),
    "+15005551001": as_endings({"outcome": "human", "talk": 1}),
    "+15005551002": as_endings("late"),
    "+15005551003": as_endings({"outcome": "human", "talk": 600}),
    "+15005551100": as_endings("busy"),
    "+15005551101": as_endings("no-answer"),
    "+15005551102": as_endings("rejected"),
    "+15005551103": as_endings("rejected-as-busy"),
    "+15005551104": as_endings("canceled"),
    "+15005551105": as_endings("queued"),
    "+15005551106": as_endings(["busy", "human"]),
    "+15005551107": as_endings(["no-answer", "human"]),
    "+15005551108": as_endings(["voicemail", "human"]),
    "+15005551200": as_endings("voicemail"),
    "+15005551201": as_endings({"outcome": "voicemail", "machine_end": "machine_end_silence"}),
    "+15005551202": as_endings({"outcome": "voicemail", "machine_end": "machine_end_other"}),
    "+15005551203": as_endings("fax"),
    "+15005551204": as_endings("unknown"),
    "+15005551300": as_endings("failed"),
    "+15005551301": as_endings("failed:13227"),
    "+15005551302": as_endings("failed:32205"),
    "+15005551303": as_endings("failed:21215"),
    "+15005551304": as_endings("failed:0"),
    "+15005551400": as_endings({"outcome": "human", "presses": ["1"]}),
    "+15005551401": as_endings({"outcome": "human", "presses": ["2"]}),
    "+15005551402": as_endings({"outcome": "human", "presses": ["9", "1"]}),
    "+15005551403": as_endings({"outcome": "human", "presses": ["", "1"]}),
}

ANY_NUMBER = "*"


class Script:
    """How a call to a number ends: as scripted, else as in :data:`NUMBERS`, else a human answers."""

    def __init__(self) -> None:
        self._scripted: dict[str, tuple[Ending, ...]] = {}
        self._calls_to: dict[str, int] = {}

    def set(self, number: str, endings: tuple[Ending, ...]) -> None:
        """Script a number, from its next call on; ``"*"`` is every number that has no ending of its own."""
        self._scripted[number] = endings
        self._calls_to.pop(number, None)

    def next(self, number: str) -> Ending:
        """The ending of the call now being placed to a number."""
        turn = self._calls_to.get(number, 0)
        self._calls_to[number] = turn + 1
        if number in NUMBERS and number not in self._scripted:
            return NUMBERS[number][turn % len(NUMBERS[number])]
        endings = self._scripted.get(number) or self._scripted.get(ANY_NUMBER) or _HUMAN
        return endings[min(turn, len(endings) - 1)]

    def clear(self) -> None:
        """Forget what was scripted and how often each number was called."""
        self._scripted.clear()
        self._calls_to.clear()

    def as_dict(self) -> dict[str, list[dict[str, Any]]]:
        """All endings, scripted or not, as JSON."""
        return {
            number: [ending.model_dump(mode="json") for ending in endings]
            for number, endings in {**NUMBERS, **self._scripted}.items()
        }


_HUMAN = as_endings("human")
