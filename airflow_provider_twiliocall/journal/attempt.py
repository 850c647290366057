"""What a task remembers of the calls it has placed one after the other, each with how it ended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number, redact_phone_numbers_in

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.call import Call

# Seven digits or more, in a row or as people write numbers; no date, and no part of a SID.
_LIKE_A_NUMBER = re.compile(
    r"(?<![0-9A-Za-z*])(?!\d{4}-\d\d-\d\d\b)\(?[0-9](?:[-\s().]*[0-9]){6,}(?![0-9A-Za-z])"
)

# A task that dials again, or rings one contact after the other, has no more steps than that.
MOST_ATTEMPTS = 200

REFUSED = "refused"
NOT_PLACED = "not placed"
UNKNOWN = "unknown"
NOT_NOW = "outside call window"


@dataclass(frozen=True)
class CallAttempt:
    """One call of a task, and how it ended.

    :param step: which of the task's steps it was for, from 0: the number of the dial, or whose turn it was
    :param call_sid: None where Twilio did not place it
    :param to: the number, cut to its last four digits
    :param status: Twilio's word; ``refused`` or ``not placed`` where there was no call, ``unknown`` where nobody can
        tell
    :param answered_by: Twilio's word, where machine detection was on
    :param duration: seconds
    :param ended: Unix time by Twilio's clock, where Twilio gives it
    :param ended_by_us: whether this task ended it, so that it says nothing about the callee
    :param problem: why there was no call
    """

    step: int
    call_sid: str | None
    to: str | None
    status: str
    answered_by: str | None = None
    duration: int | None = None
    ended: float | None = None
    ended_by_us: bool = False
    problem: str | None = None

    @classmethod
    def of(cls, call: Call, *, step: int, ended_by_us: bool = False) -> CallAttempt:
        """Remember a call that is over."""
        shown = call.to_dict()
        return cls(
            step,
            call.sid,
            shown["to"],
            shown["status"],
            shown["answered_by"],
            shown["duration"],
            # Twilio gives no end of a call that was not answered.
            ended.timestamp() if (ended := call.end_time or call.date_updated) else None,
            ended_by_us,
        )

    @classmethod
    def of_problem(
        cls, problem: str, callee: str | None, status: str, *, step: int, call_sid: str | None = None
    ) -> CallAttempt:
        """Remember a step that came to no call, or to one of which nobody can tell how it ended.

        :param callee: the whole number; None where it is not known any more
        """
        to = None if callee is None else redact_phone_number(callee)
        return cls(step, call_sid, to, status, problem=problem)

    @property
    def ending(self) -> str:
        """How it ended, in the words of ``redial_on``: a call that completed, and not well, had a voicemail."""
        return "voicemail" if self.status == "completed" else self.status

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CallAttempt:
        """Read what :meth:`to_json` wrote; what a later version added is ignored."""
        return cls(**{field.name: value[field.name] for field in fields(cls) if field.name in value})

    def to_json(self) -> dict[str, Any]:
        """Return it for Airflow's store and XCom: no whole phone number in it."""
        return asdict(self) | {"problem": _without_numbers(self.problem) if self.problem else None}


def _without_numbers(text: str) -> str:
    """Cut also what was meant for a number, without its country code, to its last four digits."""
    return _LIKE_A_NUMBER.sub(
        lambda found: "*" * 7 + re.sub(r"\D", "", found[0])[-4:], redact_phone_numbers_in(text)
    )
