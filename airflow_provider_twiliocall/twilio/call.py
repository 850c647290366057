"""What Twilio says about a call: its status, who answered, and the Call resource itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from decimal import Decimal
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any

import pendulum
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from typing_extensions import Self

from airflow_provider_twiliocall.twilio.list_text import words_in
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number, redact_phone_numbers_in

logger = logging.getLogger(__name__)

CALL_SID_PATTERN = r"^CA[0-9a-fA-F]{32}$"


def is_call_sid(value: object) -> bool:
    """Say whether this looks like the SID of a call."""
    return isinstance(value, str) and re.fullmatch(CALL_SID_PATTERN, value) is not None


class _OpenVocabulary(str, Enum):
    """Twilio may add words: an unknown value becomes a new member, not an error."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value.upper().replace("-", "_")
        member._value_ = value
        return member

    def __str__(self) -> str:
        return str(self.value)


class CallStatus(_OpenVocabulary):
    """The status of a call: ``queued -> ringing -> in-progress -> completed``, or another end.

    ``no-answer`` includes a callee who declined. ``completed`` includes a call answered by a machine, so it does not
    mean that somebody heard the message.
    """

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"

    @property
    def is_terminal(self) -> bool:
        """Whether the call is over. An unknown status counts as still going on."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {
        CallStatus.COMPLETED,
        CallStatus.BUSY,
        CallStatus.FAILED,
        CallStatus.NO_ANSWER,
        CallStatus.CANCELED,
    }
)


class AnsweredBy(_OpenVocabulary):
    """Who answered, by answering machine detection; null on a call without detection."""

    HUMAN = "human"
    FAX = "fax"
    UNKNOWN = "unknown"
    MACHINE_START = "machine_start"
    MACHINE_END_BEEP = "machine_end_beep"
    MACHINE_END_SILENCE = "machine_end_silence"
    MACHINE_END_OTHER = "machine_end_other"


def answerers(accept_answered_by: Any) -> frozenset[str] | None:
    """Read who may have answered: a collection, or its text as templates render it; None for anybody.

    :raises ValueError: a word that Twilio never says in ``answered_by``, or none at all
    """
    if accept_answered_by is None:
        return None
    words = accept_answered_by
    if isinstance(words, str):
        try:
            words = words_in(words)
        except ValueError as error:
            raise ValueError(f"accept_answered_by={accept_answered_by!r:.80}: {error}") from None
    words = [words] if isinstance(words, str) else words
    if not isinstance(words, Collection) or not words:
        raise ValueError(
            f"accept_answered_by={accept_answered_by!r} names nobody: give e.g. {{'human', 'unknown'}}"
        )
    known = [answerer.value for answerer in AnsweredBy]
    for word in words:
        if word not in known:
            meant = get_close_matches(str(word), known, n=1)
            hint = f"did you mean {meant[0]!r}?" if meant else f"it is one of {', '.join(known)}"
            raise ValueError(f"accept_answered_by: Twilio never says {word!r}: {hint}")
    return frozenset(str(word) for word in words)


def _to_pendulum(value: object) -> object:
    """Read RFC 2822 (as Twilio writes it) or ISO 8601 (as :meth:`Call.to_dict` does)."""
    if not isinstance(value, str):
        return value
    if "T" in value and value[:4].isdigit():
        return pendulum.parse(value)
    return from_rfc_2822(value)


# A call has the same second in several fields, and again at every look.
@lru_cache(maxsize=128)
def from_rfc_2822(value: str) -> pendulum.DateTime:
    """Read a time as Twilio writes it."""
    moment = parsedate_to_datetime(value)
    if offset := moment.utcoffset():
        moment -= offset
    # Not pendulum.instance: it looks the zone up and takes three times as long.
    return pendulum.DateTime(*moment.timetuple()[:6], tzinfo=pendulum.UTC)


@lru_cache(maxsize=128)
def _to_iso_8601(moment: pendulum.DateTime) -> str:
    return moment.to_iso8601_string()


def _null_if_unreadable(value: object, read: ValidatorFunctionWrapHandler) -> object:
    """Read a detail, or make it null, so that no call is lost over an odd date or price."""
    try:
        return read(value)
    except (ValueError, OverflowError, ValidationError):
        logger.debug("Twilio said %r where this version expects something else: taken as null", value)
        return None


Detail = WrapValidator(_null_if_unreadable)

Timestamp = Annotated[
    pendulum.DateTime,
    BeforeValidator(_to_pendulum),
    PlainSerializer(_to_iso_8601, return_type=str),
]


Moment = Annotated[Timestamp, Detail] | None
Count = Annotated[int, Detail] | None
Amount = Annotated[Decimal, Detail] | None


class Call(BaseModel):
    """A Call resource, typed. Fields keep Twilio's names; only ``from`` is ``from_`` here.

    Unknown fields are kept as they are (``model_extra``).
    """

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        populate_by_name=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )

    sid: str = Field(pattern=CALL_SID_PATTERN)
    status: CallStatus
    account_sid: str | None = None
    parent_call_sid: str | None = None
    phone_number_sid: str | None = None
    group_sid: str | None = None
    trunk_sid: str | None = None
    date_created: Moment = None
    date_updated: Moment = None
    start_time: Moment = Field(None, description="When it was dialled; null while it is queued")
    end_time: Moment = None
    to: str | None = None
    to_formatted: str | None = None
    from_: str | None = Field(None, alias="from")
    from_formatted: str | None = None
    duration: Count = Field(None, description="Seconds from the answer on; null until the call is over")
    price: Amount = Field(None, description="In ``price_unit``, negative; arrives minutes after the end")
    price_unit: str | None = None
    direction: str | None = None
    answered_by: AnsweredBy | None = None
    api_version: str | None = None
    forwarded_from: str | None = None
    caller_name: str | None = None
    queue_time: Count = Field(None, description="Milliseconds spent in Twilio's queue")
    uri: str | None = None
    subresource_uris: dict[str, str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _blank_is_null(cls, body: Any) -> Any:
        if isinstance(body, dict):
            return {name: None if value == "" else value for name, value in body.items()}
        return body

    @property
    def answered_at(self) -> pendulum.DateTime | None:
        """When somebody or something answered, to about a second; None for a call that is not over or not completed.

        Twilio has no field for it: it is the end minus the duration, but not before ``start_time``, when the call was
        dialled.
        """
        if self.status is not CallStatus.COMPLETED or self.end_time is None or self.duration is None:
            return None
        try:
            answered = self.end_time.subtract(seconds=self.duration)
        except (OverflowError, ValueError):
            return None
        # A simulator at a high speed reports long durations between real dates.
        return max(answered, self.start_time) if self.start_time else answered

    def to_dict(self) -> dict[str, Any]:
        """Return the call as JSON for XCom, under Twilio's names, phone numbers cut to their last four digits.

        Times are ISO 8601, ``duration`` is in seconds, ``queue_time`` in milliseconds, ``price`` is a string
        (or null: it arrives late). ``Call.model_validate`` reads it back.
        """
        # A caller's name is cut as numbers are. Use the hook to get it in full.
        body: dict[str, Any] = _redacted(self.model_dump(mode="json", by_alias=True))
        for name in ("to", "from", "to_formatted", "from_formatted", "forwarded_from", "caller_name"):
            if body[name] is not None:
                body[name] = redact_phone_number(body[name])
        return body

    def __repr__(self) -> str:
        return f"Call(sid={self.sid!r}, status={self.status.value!r})"

    __str__ = __repr__


def _redacted(value: Any) -> Any:
    """Redact the numbers in every text of a JSON value, also in unknown fields."""
    if isinstance(value, str):
        return redact_phone_numbers_in(value)
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    if isinstance(value, dict):
        # Half of a call's fields are null.
        return {name: item if item is None else _redacted(item) for name, item in value.items()}
    return value
