"""What an argument of a call may be: one type for each kind of value, with the words that say the fix."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Strict,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)

from airflow_provider_twiliocall.twilio.list_text import words_in
from airflow_provider_twiliocall.twilio.number_reading import normalize_phone_number
from airflow_provider_twiliocall.twilio.param_problems import Rule, show
from airflow_provider_twiliocall.twilio.phone_number import is_phone_number, show_address
from airflow_provider_twiliocall.twilio.twiml_check import check_twiml
from airflow_provider_twiliocall.twilio.url import check_url

_BOOLEAN: TypeAdapter[bool] = TypeAdapter(bool)
_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)
_CLIENT_OR_SIP = re.compile(r"client:\S+|sip:[^@\s]+@[^@\s]+")
_SIP_USER = re.compile(r"[A-Za-z0-9._-]+")


def _sendable(value: str) -> str:
    # pydantic lets lone surrogates pass; the UnicodeEncodeError of this is a ValueError to it.
    value.encode()
    return value


def _whole_number(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _whole_seconds(value: object) -> object:
    # Airflow makes "PT30S" of a timedelta where an executor sends its work as JSON.
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith("P")):
        try:
            value = _DURATION.validate_python(value).total_seconds()
        except ValidationError:
            return value
    return _whole_number(value)


def _true_or_false(value: object) -> object:
    try:
        return "true" if _BOOLEAN.validate_python(value) else "false"
    except ValidationError:
        return value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _as_list(value: object) -> object:
    try:
        return words_in(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _absolute_url(value: str) -> str:
    check_url(value)
    return value


def _twiml(value: str) -> str:
    try:
        check_twiml(value)
    except ValueError as error:
        raise ValueError(f"{show(value)} {error}") from None
    return value


def _is_client_or_sip(value: str) -> bool:
    return _CLIENT_OR_SIP.fullmatch(value) is not None


def _callee(value: str) -> str:
    if _is_client_or_sip(value):
        return value
    if not is_phone_number(value):
        raise ValueError(
            f"{show_address(value)} is neither a phone number nor client:name nor sip:user@host: "
            f"{_what_to_write_instead(value)}"
        )
    return normalize_phone_number(value)


def _what_to_write_instead(callee: str) -> str:
    scheme = callee.partition(":")[0].strip()
    known = {"client": "client", "sip": "sip", "sips": "sip"}.get(scheme.lower())
    if known:
        return f"write {known}:{'user@host' if known == 'sip' else 'name'}, in lower case"
    if scheme.isalpha() and is_phone_number(callee.partition(":")[2]):
        return f"write the number without {scheme}:"
    return "give one of these, e.g. +15551234567"


def _caller(value: str, info: ValidationInfo) -> str:
    if _is_client_or_sip(value):
        return value
    if is_sip_user(value, callee=info.data.get("to")):
        return value
    if not is_phone_number(value):
        raise ValueError(
            f"{show_address(value)} is not a caller: "
            "give a phone number of yours such as +15551234567, client:name or a SIP user"
        )
    return normalize_phone_number(value)


def is_sip_user(caller: object, *, callee: object) -> bool:
    """Say whether a caller is the user of a SIP address; digits are, where a SIP address is called."""
    if not isinstance(caller, str) or not _SIP_USER.fullmatch(caller):
        return False
    return str(callee).startswith("sip:") or not is_phone_number(caller)


def _caller_id(value: str) -> str:
    return normalize_phone_number(value) if is_phone_number(value) else value


# pydantic would take bytes for text.
_Text = Annotated[str, Strict()]
_Sendable = Annotated[_Text, AfterValidator(_sendable)]

Text = Annotated[_Sendable, Rule()]
SecretText = Annotated[_Sendable, Rule(secret=True)]
Callee = Annotated[_Sendable, AfterValidator(_callee), Rule(code="21211", address=True)]
Caller = Annotated[_Sendable, AfterValidator(_caller), Rule(code="21212", address=True)]
CallerId = Annotated[_Sendable, AfterValidator(_caller_id), Rule(address=True)]
Url = Annotated[_Sendable, AfterValidator(_absolute_url), Rule(code="21205")]
TwiML = Annotated[_Sendable, AfterValidator(_twiml), Rule()]

AccountSid = Annotated[
    _Text,
    Field(pattern=r"^AC[0-9a-fA-F]{32}$"),
    Rule("is not an Account SID: give AC and 32 hexadecimal digits"),
]
ApplicationSid = Annotated[
    _Text,
    Field(pattern=r"^AP[0-9a-fA-F]{32}$"),
    Rule("is not the SID of an application: give AP and 32 hexadecimal digits", code="21218"),
]
ByocSid = Annotated[
    _Text,
    Field(pattern=r"^BY[0-9a-fA-F]{32}$"),
    Rule("is not the SID of a BYOC trunk: give BY and 32 hexadecimal digits"),
]

Method = Annotated[Literal["GET", "POST"], BeforeValidator(_upper), Rule(code="21209")]
MachineDetection = Annotated[Literal["Enable", "DetectMessageEnd"], Rule(code="21234")]
RecordingChannels = Annotated[Literal["mono", "dual"], Rule()]
RecordingTrack = Annotated[Literal["inbound", "outbound", "both"], Rule()]
Trim = Annotated[Literal["trim-silence", "do-not-trim"], Rule()]
StatusCallbackEvents = Annotated[
    tuple[Literal["initiated", "ringing", "answered", "completed"], ...],
    BeforeValidator(_as_list),
    Rule("is not a list of events: give a list such as ['ringing', 'completed']"),
]
RecordingEvents = Annotated[
    tuple[Literal["in-progress", "completed", "absent"], ...],
    BeforeValidator(_as_list),
    Rule("is not a list of events: give a list such as ['in-progress', 'completed']"),
]

SendDigits = Annotated[
    _Text,
    Field(pattern=r"^[0-9A-D#*wW]{1,32}$"),
    Rule("is not a row of keys to press: give at most 32 of 0-9 A-D # * w W", code="21206"),
]
RingSeconds = Annotated[
    int,
    BeforeValidator(_whole_seconds),
    Field(strict=True, ge=1, le=600),
    Rule(
        "is not a time to let it ring: give whole seconds from 1 to 600 "
        "(if the task does not set it, look in default_args, which reach every operator that has the name)",
        code="21208",
    ),
]
CallSeconds = Annotated[
    int,
    BeforeValidator(_whole_seconds),
    Field(strict=True, gt=0),
    Rule("is not a length of a call: give whole seconds above 0"),
]
DetectionSeconds = Annotated[
    int,
    BeforeValidator(_whole_seconds),
    Field(strict=True, gt=0),
    Rule("is not a time for machine detection: give whole seconds, best from 3 to 59"),
]
SpeechThreshold = Annotated[
    int,
    BeforeValidator(_whole_number),
    Field(strict=True, ge=1000, le=6000),
    Rule("is out of range: give whole milliseconds from 1000 to 6000"),
]
SpeechEndThreshold = Annotated[
    int,
    BeforeValidator(_whole_number),
    Field(strict=True, ge=500, le=5000),
    Rule("is out of range: give whole milliseconds from 500 to 5000"),
]
SilenceTimeout = Annotated[
    int,
    BeforeValidator(_whole_number),
    Field(strict=True, ge=2000, le=10000),
    Rule("is out of range: give whole milliseconds from 2000 to 10000"),
]

Switch = Annotated[bool, Rule("is neither true nor false: give one of the two")]
TrueOrFalse = Annotated[
    Literal["true", "false"],
    BeforeValidator(_true_or_false),
    Rule("is neither true nor false: give one of the two"),
]
SipUsername = Annotated[
    _Sendable,
    Field(max_length=255),
    Rule("is too long: Twilio takes at most 255 characters", code="21221 to 21225"),
]
SipPassword = Annotated[
    _Sendable,
    Field(max_length=255),
    Rule("is too long: Twilio takes at most 255 characters", code="21221 to 21225", secret=True),
]
Passports = Annotated[
    _Sendable,
    Field(pattern=r"^[^,]+(,[^,]+){0,4}$"),
    Rule("is not 1 to 5 passports: give at most 5, with commas between them"),
]
