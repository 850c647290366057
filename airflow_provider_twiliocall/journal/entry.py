"""One entry of the journal: how far the latest call has come, whom it is to, and what was dialled before it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.journal.attempt import MOST_ATTEMPTS, CallAttempt
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.ending import HowToEnd
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

# So that who reads the store cannot try all the numbers there are; some 10 ms.
DIGEST_ROUNDS = 20_000


class State(str, Enum):
    """How far a placement has come."""

    PLACING = "placing"
    """A request is about to go out, or went out, and no answer is known."""
    PLACED = "placed"
    """Twilio has taken the call; its SID is known."""
    NOT_PLACED = "not placed"
    """Twilio provably has not taken it."""


@dataclass(frozen=True)
class Entry:
    """What the journal says.

    :param max_tries: Airflow's count of tries; a retry keeps it, a person who clears the task raises it
    :param digest: of account, caller and callee, salted
    :param sent: Unix time, by the clock of the machine that dialled, just before the request
    :param clock_offset: seconds that Twilio's clock was ahead of that one, where that was known
    :param ended_by_us: how this task asked Twilio to end the call, if it did
    :param queue_deadline: until when the call may stay in Twilio's queue; None where nobody waits for it
    :param earlier_sids: the calls of earlier tries
    :param step: which of the task's steps the call is for, from 0
    :param attempts: the calls that this run has seen to their end before
    :param account_sid: the account that the request was for; None in what an earlier version has written
    :param callee: a salted digest of whom the call is to; None in what an earlier version has written
    :param token: what the receiver knows this run of the task by; None where Twilio was not told of one
    :param is_called_back: whether Twilio tells the receiver when the call is over
    """

    state: State
    max_tries: int
    digest: str
    salt: str
    sent: float
    clock_offset: float | None = None
    call_sid: str | None = None
    ended_by_us: HowToEnd | None = None
    queue_deadline: QueueDeadline | None = None
    earlier_sids: tuple[str, ...] = ()
    step: int = 0
    attempts: tuple[CallAttempt, ...] = ()
    account_sid: str | None = None
    callee: str | None = None
    token: str | None = None
    is_called_back: bool = False

    def is_for(self, params: CreateCallParams, account_sid: str | None = None) -> bool:
        """Whether it is about a call between the two that these parameters are about.

        Only account, caller and callee are compared: a text that a template renders differently at every try is
        no reason to ring twice.

        :param account_sid: the account that such a call would be for now
        """
        # An earlier version knew of no account but one that the parameters name.
        account = params.account_sid if self.account_sid is None else account_sid
        return hmac.compare_digest(self.digest, _digest_of_call(params, account, self.salt))

    def is_to(self, params: CreateCallParams) -> bool:
        """Whether it is about a call to the one whom these parameters are about.

        A mapped task may mean another person after a change of the list.
        """
        if self.callee is None:
            return self.is_for(params)
        return hmac.compare_digest(self.callee, _digest(params.to, self.salt))

    def is_of_account(self, account_sid: str) -> bool:
        """Whether the call can be seen by who asks for that account, as far as that is known."""
        return self.account_sid is None or self.account_sid == account_sid

    @classmethod
    def of_request(
        cls,
        params: CreateCallParams,
        *,
        max_tries: int,
        account_sid: str | None,
        clock_offset: float | None,
        earlier_sids: tuple[str, ...],
        step: int,
        attempts: tuple[CallAttempt, ...],
        token: str | None = None,
        is_called_back: bool = False,
    ) -> Entry:
        """Make the entry for a request that is about to go out."""
        salt = secrets.token_hex(8)
        return cls(
            State.PLACING,
            max_tries=max_tries,
            digest=_digest_of_call(params, account_sid or params.account_sid, salt),
            salt=salt,
            sent=clock.time(),
            clock_offset=clock_offset,
            earlier_sids=earlier_sids,
            step=step,
            attempts=attempts[-MOST_ATTEMPTS:],
            account_sid=account_sid,
            callee=_digest(params.to, salt),
            token=token,
            is_called_back=is_called_back,
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Entry:
        """Read what :meth:`to_json` wrote; what a later version added is ignored."""
        known = {field.name: value[field.name] for field in fields(cls) if field.name in value}
        known |= {
            "state": State(value["state"]),
            "queue_deadline": QueueDeadline.from_json(value.get("queue_deadline")),
            "earlier_sids": tuple(value.get("earlier_sids", ())),
            "attempts": tuple(map(CallAttempt.from_json, value.get("attempts", ()))),
        }
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """Return it for the store: no phone number in it."""
        return asdict(self) | {
            "state": self.state.value,
            "queue_deadline": self.queue_deadline.to_json() if self.queue_deadline else None,
            "earlier_sids": list(self.earlier_sids),
            "attempts": [attempt.to_json() for attempt in self.attempts],
        }


def _digest_of_call(params: CreateCallParams, account_sid: str | None, salt: str) -> str:
    return _digest("|".join([account_sid or "", params.from_ or "", params.to]), salt)


def _digest(who: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", who.encode(), salt.encode(), DIGEST_ROUNDS).hex()
