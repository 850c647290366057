"""What a task remembers of the calls it has placed one after the other, each with how it ended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number, redact_phone_numbers_in

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.call import Call

# Seven digits or more, in a row or as people write numbers; no date, and no part of a SID.
_LIKE_A_NUMBER = re.compile(
    r"(?<![0-9A-Za-z*])(?!\d{4}-\d\d-\d\d\b)\(?[0-9](?:[-\s().]*[0-9]){6,}(?![0-9A-Za-z])"
)

# A task that dials again, or rings one contact after the other, has no more steps than that.
MOST_ATTEMPTS = 200


@dataclass(frozen=True)
class CallAttempt:
    """One call of a task, and how it ended.

    :param step: which of the task's steps it was for, from 0: the number of the dial, or whose turn it was
    :param call_sid: None where Twilio did not place it
    :param to: the number, cut to its last four digits
    :param status: Twilio's word; that of the reason where there was no call, or nobody can tell how it ended
    :param reason: why it is over, or why there was none; None for a call that is not over
    :param answered_by: Twilio's word, where machine detection was on
    :param duration: seconds
    :param ended: Unix time by Twilio's clock, where Twilio gives it
    :param problem: why there was no call, or nobody can tell how it ended
    """

    step: int
    call_sid: str | None
    to: str | None
    status: str
    reason: Reason | None
    answered_by: str | None = None
    duration: int | None = None
    ended: float | None = None
    problem: str | None = None

    @classmethod
    def of(cls, call: Call, reason: Reason | None, *, step: int) -> CallAttempt:
        """Remember a call as it was seen last."""
        shown = call.to_dict()
        return cls(
            step,
            call.sid,
            shown["to"],
            shown["status"],
            reason,
            shown["answered_by"],
            shown["duration"],
            # Twilio gives no end of a call that was not answered.
            ended.timestamp() if (ended := call.end_time or call.date_updated) else None,
        )

    @classmethod
    def of_problem(
        cls, problem: str, reason: Reason, *, step: int, callee: str | None, call_sid: str | None = None
    ) -> CallAttempt:
        """Remember a step that came to no call, or to one of which nobody can tell how it ended.

        :param callee: the whole number; None where it is not known any more
        """
        to = None if callee is None else redact_phone_number(callee)
        status = Reason.UNKNOWN if reason is Reason.MAYBE_PLACED else reason
        return cls(step, call_sid, to, status.value, reason, problem=problem)

    @property
    def ended_by_us(self) -> bool:
        """Whether this task ended it, so that it says nothing about the callee."""
        return self.reason is not None and self.reason.is_by_us

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CallAttempt:
        """Read what :meth:`to_json` wrote; what a later version added is ignored."""
        known = {field.name: value[field.name] for field in fields(cls) if field.name in value}
        return cls(**known | {"reason": Reason(known["reason"]) if known["reason"] else None})

    def to_json(self) -> dict[str, Any]:
        """Return it for Airflow's store and XCom: no whole phone number in it."""
        return asdict(self) | {
            "reason": self.reason.value if self.reason else None,
            "ended_by_us": self.ended_by_us,
            "problem": _without_numbers(self.problem) if self.problem else None,
        }


def _without_numbers(text: str) -> str:
    """Cut also what was meant for a number, without its country code, to its last four digits."""
    return _LIKE_A_NUMBER.sub(
        lambda found: "*" * 7 + re.sub(r"\D", "", found[0])[-4:], redact_phone_numbers_in(text)
    )
