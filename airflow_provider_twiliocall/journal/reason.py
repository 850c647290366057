"""Why a call of a task is over, or why there is none: one word, from the wait to the journal and the task."""

from __future__ import annotations

from enum import Enum


class Reason(str, Enum):
    """What became of a call, or of a task's wish to place one.

    The values are kept in the journal and shown in XCom ``dials``. Those of a call that can be redialled are the words
    of ``redial_on``.
    """

    COMPLETED = "completed"
    """It was answered, by somebody who counts as far as that was asked."""
    VOICEMAIL = "voicemail"
    """It was answered, but by nobody who counts."""
    NO_KEY = "no-key"
    """It was answered, but nobody pressed one of the keys that were asked for."""
    PASSED_ON = "passed on"
    """It was answered by somebody who passed it on to the next contact by a key."""
    TOO_SHORT = "too short"
    """It was answered by somebody who counts, but did not last."""
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED_ELSEWHERE = "canceled elsewhere"
    """It was canceled, and not by this task."""

    QUEUE_TIMEOUT = "queue timeout"
    """It was in Twilio's queue for too long, and this task canceled it there."""
    WINDOW_CLOSED = "window closed"
    """It was in Twilio's queue when it became too late for it to ring, and this task canceled it there."""
    ENDED_BY_US = "ended by us"
    """This task ended it otherwise: it was killed, say."""

    PLACED = "placed"
    """Twilio has taken it, and no more was waited for."""
    LEFT_QUEUE = "left queue"
    """It has left Twilio's queue, and no more was waited for."""
    OVERDUE = "overdue"
    """It must be over by now, but Twilio has not said so."""
    TIMED_OUT = "timed out"
    """The task's own time is up (its execution_timeout); the call goes on."""
    UNKNOWN = "unknown"
    """Nobody can say whether it was placed, or how it ended."""

    REFUSED = "refused"
    """Twilio, or a check before, refuses to place it."""
    NOT_PLACED = "not placed"
    """Twilio provably did not place it, for now."""
    MAYBE_PLACED = "maybe placed"
    """Nobody can say yet whether it was placed, and a retry of the task may."""
    OUTSIDE_WINDOW = "outside call window"
    """It was not dialled, because the callee may not be rung now."""
    TOO_LATE = "too late"
    """It was not dialled, because its time to ring was over before Twilio took it."""

    DO_NOT_CALL = "do not call"
    """It was not dialled, because the callee is on the do-not-call list."""
    DUPLICATE = "duplicate"
    """It was not dialled, because an earlier row of the same campaign has the same callee."""

    @property
    def is_by_us(self) -> bool:
        """Whether this task ended the call, so that it says nothing about the callee."""
        return self in (Reason.QUEUE_TIMEOUT, Reason.WINDOW_CLOSED, Reason.ENDED_BY_US)


# As Twilio's status has it, before anybody has judged who answered, or looked who canceled it.
OF_STATUS = {
    "completed": Reason.COMPLETED,
    "busy": Reason.BUSY,
    "no-answer": Reason.NO_ANSWER,
    "failed": Reason.FAILED,
    "canceled": Reason.CANCELED_ELSEWHERE,
}
