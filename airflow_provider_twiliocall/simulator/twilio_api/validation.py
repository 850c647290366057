"""What Twilio checks before it accepts a call or a change to one, with the code it refuses with."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from urllib.parse import urlsplit

from airflow_provider_twiliocall.simulator.calls.account import Account
from airflow_provider_twiliocall.simulator.calls.identity import E164
from airflow_provider_twiliocall.simulator.calls.simulated_call import Form
from airflow_provider_twiliocall.simulator.problem import Problem
from airflow_provider_twiliocall.simulator.twilio_api.form import check_names

Check = Callable[[str, str], None]

_CLIENT = re.compile(r"client:[^\s]{1,}")
_SIP = re.compile(r"sips?:[^\s@]+@[^\s@]+")
_SIP_TEXT = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\]")

TWIML_LIMIT = 4000

# Twilio's own test numbers: https://www.twilio.com/docs/iam/test-credentials
MAGIC_FROM = {"+15005550001": 21212, "+15005550002": 21210, "+15005550003": 21210, "+15005550004": 21210}
MAGIC_TO = {"+15005550001": 21217, "+15005550002": 21214, "+15005550003": 21215, "+15005550004": 21216}
MAGIC_OK = "+15005550006"


def _url(name: str, value: str) -> None:
    try:
        parts = urlsplit(value)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError as error:
        raise Problem(21205, name, value) from error
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    whole = parts.scheme in ("http", "https") and _HOST.fullmatch(host) and port_is_fine
    if not whole or re.search(r"\s", value):
        raise Problem(21205, name, value)


def _method(name: str, value: str) -> None:
    if value not in ("GET", "POST"):
        raise Problem(21209, name, value)


def _one_of(*allowed: str, code: int = 20001) -> Check:
    def check(name: str, value: str) -> None:
        if value not in allowed:
            if code == 21234:
                raise Problem(code, value)
            if code == 21626:
                raise Problem(code, name, value)
            raise Problem(code, f"{name}={value!r} is none of {', '.join(allowed)}")

    return check


def _integer(low: int, high: int | None = None) -> Check:
    def check(name: str, value: str) -> None:
        whole = re.fullmatch(r"\d{1,9}", value)
        if not whole or int(value) < low or (high is not None and int(value) > high):
            limits = f"from {low} to {high}" if high is not None else f"of {low} or more"
            if name == "Timeout":
                raise Problem(21208, value)
            raise Problem(20001, f"{name}={value!r} is not a whole number {limits}")

    return check


def _sid(prefix: str, code: int = 20001) -> Check:
    def check(name: str, value: str) -> None:
        if not re.fullmatch(prefix + "[0-9a-fA-F]{32}", value):
            raise Problem(code, value if code == 21218 else f"{name}={value!r} is not a SID {prefix}…")

    return check


def _digits(name: str, value: str) -> None:
    if not re.fullmatch(r"[0-9A-D#*wW]{1,32}", value):
        raise Problem(21206, value)


def _sip_text(too_long: int, illegal: int) -> Check:
    def check(name: str, value: str) -> None:
        if len(value) > 255:
            raise Problem(too_long)
        if not _SIP_TEXT.fullmatch(value):
            raise Problem(illegal)

    return check


def _twiml(name: str, value: str) -> None:
    if len(value) > TWIML_LIMIT:
        raise Problem(32018, len(value))
    try:
        root = ElementTree.fromstring(value)
    except ElementTree.ParseError as error:
        raise Problem(12100, error) from error
    if root.tag != "Response":
        raise Problem(12100, f"its root is {root.tag!r}, not 'Response'")


def _filled(name: str, value: str) -> None:
    if not value:
        raise Problem(20001, f"{name} is empty")


def _passports(name: str, value: str) -> None:
    passports = value.split(",")
    if not all(passports) or len(passports) > 5:
        raise Problem(20001, f"{name} must hold one to five passports with commas between them")


_boolean = _one_of("true", "false")

LISTS = frozenset({"StatusCallbackEvent", "RecordingStatusCallbackEvent"})

# In Twilio's own order of checking as far as it is known: whom, from whom, what to say, then the rest.
CREATE: dict[str, Check] = {
    "To": lambda name, value: None,
    "From": lambda name, value: None,
    "Url": _url,
    "Twiml": _twiml,
    "ApplicationSid": _sid("AP", 21218),
    "Method": _method,
    "FallbackUrl": _url,
    "FallbackMethod": _method,
    "StatusCallback": _url,
    "StatusCallbackMethod": _method,
    "StatusCallbackEvent": _one_of("initiated", "ringing", "answered", "completed", code=21626),
    "SendDigits": _digits,
    "Timeout": _integer(1, 600),
    "TimeLimit": _integer(1),
    "Record": _boolean,
    "RecordingChannels": _one_of("mono", "dual"),
    "RecordingTrack": _one_of("inbound", "outbound", "both"),
    "RecordingStatusCallback": _url,
    "RecordingStatusCallbackMethod": _method,
    "RecordingStatusCallbackEvent": _one_of("in-progress", "completed", "absent", code=21626),
    "Trim": _one_of("trim-silence", "do-not-trim"),
    "SipAuthUsername": _sip_text(21221, 21222),
    "SipAuthPassword": _sip_text(21223, 21224),
    "MachineDetection": _one_of("Enable", "DetectMessageEnd", code=21234),
    "MachineDetectionTimeout": _integer(1),
    "MachineDetectionSpeechThreshold": _integer(1000, 6000),
    "MachineDetectionSpeechEndThreshold": _integer(500, 5000),
    "MachineDetectionSilenceTimeout": _integer(2000, 10000),
    "AsyncAmd": _boolean,
    "AsyncAmdStatusCallback": _url,
    "AsyncAmdStatusCallbackMethod": _method,
    "CallerId": _filled,
    "Byoc": _sid("BY"),
    "CallReason": _filled,
    "CallToken": _filled,
    "ClientNotificationUrl": _url,
    "RecordingConfigurationId": _filled,
    "Passports": _passports,
}

_UPDATE_NAMES = (
    "Url",
    "Method",
    "FallbackUrl",
    "FallbackMethod",
    "StatusCallback",
    "StatusCallbackMethod",
    "Twiml",
    "TimeLimit",
)
UPDATE: dict[str, Check] = {
    **{name: CREATE[name] for name in _UPDATE_NAMES},
    "Status": _one_of("canceled", "completed"),
}


def check_create(form: Form, account: Account) -> None:
    """Refuse a call Twilio would refuse."""
    check_names(form, CREATE, LISTS)
    values = dict(form)
    _check_parties(values.get("To", ""), values.get("From", ""))
    if not any(name in values for name in ("Url", "Twiml", "ApplicationSid")):
        raise Problem(21205, "Url", "")
    for name, value in form:
        CREATE[name](name, value)
    if "SipAuthUsername" in values and "SipAuthPassword" not in values:
        raise Problem(21225)
    if "Byoc" in values and not is_number(values["To"]):
        raise Problem(20001, "Byoc only goes with a phone number in To")
    _check_permission(values["To"], values["From"], account)


def check_update(form: Form) -> dict[str, str]:
    """Refuse a change Twilio would refuse; the changes by name otherwise."""
    check_names(form, UPDATE)
    if not form:
        raise Problem(20001, "there is nothing to change")
    for name, value in form:
        UPDATE[name](name, value)
    return dict(form)


def is_number(address: str) -> bool:
    """Whether an address is a phone number in E.164."""
    return bool(E164.fullmatch(address))


def _is_address(address: str) -> bool:
    return bool(is_number(address) or _CLIENT.fullmatch(address) or _SIP.fullmatch(address))


def _check_parties(to: str, from_: str) -> None:
    if not to:
        raise Problem(21201)
    if not from_:
        raise Problem(21213)
    if not _is_address(to):
        raise Problem(21211, to)
    # The user of a SIP address may stand alone as From.
    alone = re.fullmatch(r"[A-Za-z][\w.-]*", from_)
    if not (_is_address(from_) or alone) or (is_number(to) and not is_number(from_)):
        raise Problem(21212, from_)
    if to == from_:
        raise Problem(21211, to)


def _check_permission(to: str, from_: str, account: Account) -> None:
    if from_ in MAGIC_FROM:
        raise Problem(MAGIC_FROM[from_], from_, understood=True)
    if is_number(from_) and from_ not in account.numbers and from_ != MAGIC_OK:
        raise Problem(21210, from_)
    if to in MAGIC_TO:
        raise Problem(MAGIC_TO[to], to, understood=True)
    if is_number(to) and account.verified is not None and to not in account.verified:
        raise Problem(21219, to)
