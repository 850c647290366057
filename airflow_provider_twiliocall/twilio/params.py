"""What to ask Twilio for when a call is created: validated as a whole before anything is dialled."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from airflow_provider_twiliocall.twilio import param_types as types
from airflow_provider_twiliocall.twilio.number_reading import normalize_phone_number
from airflow_provider_twiliocall.twilio.param_combinations import (
    INSTRUCTIONS,
    problems_of_combinations,
    warnings_about,
)
from airflow_provider_twiliocall.twilio.param_problems import (
    Problem,
    redact,
    refused_argument,
    rule_of,
    unknown_argument,
)
from airflow_provider_twiliocall.twilio.param_types import is_sip_user
from airflow_provider_twiliocall.twilio.phone_number import is_phone_number, redact_phone_number

if TYPE_CHECKING:
    from typing_extensions import Self

logger = logging.getLogger(__name__)

_NUMBERS = ("to", "from_", "caller_id")


class CallParamsError(ValueError):
    """The arguments of a call cannot be sent to Twilio. Trying again is useless: the DAG has to be fixed.

    :param problems: every mistake
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = list(problems)

    @property
    def arguments(self) -> frozenset[str]:
        """The names of the arguments that are wrong."""
        return frozenset(name for problem in self.problems for name in problem.arguments)

    def problems_of(self, arguments: Collection[str]) -> list[Problem]:
        """Return the problems that are about some of these arguments."""
        return [problem for problem in self.problems if not set(arguments).isdisjoint(problem.arguments)]

    def __str__(self) -> str:
        return "\n".join(problem.text for problem in self.problems)


def numbers_in_e164(
    arguments: Mapping[str, Any], default_country: str | None
) -> tuple[dict[str, Any], list[Problem]]:
    """Bring the phone numbers among the arguments of a call to E.164, where a default country is known.

    :returns: the arguments, and what is wrong with the numbers that cannot be read: those stay as they are, and
        :class:`CreateCallParams` refuses them
    """
    fields, refusals = dict(arguments), []
    for name in _NUMBERS if default_country else ():
        value = fields.get(name)
        is_number = isinstance(value, int) or is_phone_number(value)
        if not is_number or (name == "from_" and is_sip_user(value, callee=fields.get("to"))):
            continue
        try:
            fields[name] = normalize_phone_number(value, default_country=default_country)
        except ValueError as error:
            code = rule_of(CreateCallParams.model_fields[name]).code
            text = f"{name}={error}" + (f" (Twilio error {code})" if code else "")
            refusals.append(Problem((name,), text))
    return fields, refusals


class CreateCallParams(BaseModel):
    """Everything that can be asked of Twilio when a call is created.

    Values may come as templates render them: ``"30"`` for 30, ``"True"`` for true, a list as its text or as
    names with commas between them. Phone numbers come out in E.164. What is unset is not sent, so that
    Twilio's default holds. Unset means None, a blank string, an empty list, and the string ``"None"``: all
    that a template makes of a value that is not there.

    ``from`` is spelled ``from_`` in Python; in a mapping both are understood. What Twilio would accept and
    then silently ignore is logged as a warning.

    :raises CallParamsError: Twilio would refuse or misunderstand something; it tells all mistakes at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account_sid: types.AccountSid | None = None
    to: types.Callee
    from_: types.Caller | None = None

    url: types.Url | None = None
    twiml: types.TwiML | None = None
    application_sid: types.ApplicationSid | None = None

    method: types.Method | None = None
    fallback_method: types.Method | None = None
    status_callback_method: types.Method | None = None
    recording_status_callback_method: types.Method | None = None
    async_amd_status_callback_method: types.Method | None = None
    fallback_url: types.Url | None = None
    status_callback: types.Url | None = None
    recording_status_callback: types.Url | None = None
    async_amd_status_callback: types.Url | None = None
    client_notification_url: types.Url | None = None
    status_callback_event: types.StatusCallbackEvents | None = None
    recording_status_callback_event: types.RecordingEvents | None = None

    send_digits: types.SendDigits | None = None
    timeout: types.RingSeconds | None = None
    time_limit: types.CallSeconds | None = None

    record: types.Switch | None = None
    recording_channels: types.RecordingChannels | None = None
    recording_track: types.RecordingTrack | None = None
    trim: types.Trim | None = None

    sip_auth_username: types.SipUsername | None = None
    sip_auth_password: types.SipPassword | None = None

    machine_detection: types.MachineDetection | None = None
    machine_detection_timeout: types.DetectionSeconds | None = None
    machine_detection_speech_threshold: types.SpeechThreshold | None = None
    machine_detection_speech_end_threshold: types.SpeechEndThreshold | None = None
    machine_detection_silence_timeout: types.SilenceTimeout | None = None
    async_amd: types.TrueOrFalse | None = None

    caller_id: types.CallerId | None = None
    byoc: types.ByocSid | None = None
    call_reason: types.Text | None = None
    call_token: types.SecretText | None = None
    recording_configuration_id: types.Text | None = None
    passports: types.Passports | None = None

    def __init__(self, /, **arguments: Any) -> None:
        self._fill(arguments)
        for warning in self._warnings():
            logger.warning(warning)

    @classmethod
    def model_validate(cls, obj: Any, **_options: Any) -> Self:
        """Build from a mapping, where ``from`` may stand for ``from_``."""
        if isinstance(obj, cls):
            return obj
        if not isinstance(obj, Mapping):
            text = f"the arguments of a call are {type(obj).__name__}: give a mapping by name"
            raise CallParamsError([Problem((), text)])
        return cls(**{str(name): value for name, value in obj.items()})

    @classmethod
    def problems_of(
        cls, known: Mapping[str, Any], *, later: Collection[str] = (), callee: str = "to"
    ) -> list[Problem]:
        """Say what is wrong with some of a call's arguments, before the others are known.

        :param later: names of arguments that will be given, with values that are not known yet
        :param callee: what the author calls the argument that says whom to call
        """
        given, problems = _sorted_out(known)
        refusals = cls.__new__(cls)._refusals(given, known, callee)
        problems += [problem for problem in refusals if not known.keys().isdisjoint(problem.arguments)]
        stand_ins = {} if any(name in given for name in INSTRUCTIONS) else {"twiml": ""}
        if "sip_auth_password" in later:
            stand_ins["sip_auth_password"] = ""
        return problems + problems_of_combinations({**stand_ins, **given}, callee)

    def replace(self, **changes: Any) -> Self:
        """Give the same parameters with some changed (None unsets one), validated again as a whole."""
        if "from" in changes:
            changes.setdefault("from_", changes.pop("from"))
        changed = type(self).__new__(type(self))
        changed._fill({**dict(self._given()), **changes})
        for warning in changed._warnings():
            if warning not in self._warnings():
                logger.warning(warning)
        return changed

    def to_form(self) -> list[tuple[str, str]]:
        """Give the pairs of the form that Twilio reads. A list repeats its key; what is unset is left out."""
        return [
            (_wire_name(field), ("true" if item else "false") if isinstance(item, bool) else str(item))
            for field, value in self._given()
            if field != "account_sid"
            for item in (value if isinstance(value, tuple) else (value,))
        ]

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        for field, value in self._given():
            rule = rule_of(type(self).model_fields[field])
            if rule.secret:
                value = "***"
            elif rule.address:
                value = redact_phone_number(value)
            elif isinstance(value, str):
                value = redact(value)
            yield field, value

    def _fill(self, arguments: Mapping[str, Any]) -> None:
        given, problems = _sorted_out(arguments)
        problems += self._refusals(given, arguments)
        problems += problems_of_combinations(given)
        if problems:
            # Raised out here, so that no traceback carries pydantic's error and the values in it.
            raise CallParamsError(problems)

    def _refusals(
        self, given: Mapping[str, Any], arguments: Mapping[str, Any], callee: str = "to"
    ) -> list[Problem]:
        """Take the values; return what was refused, and why."""
        try:
            super().__init__(**given)
        except ValidationError as error:
            details = [(str(detail["loc"][0]), detail) for detail in error.errors(include_url=False)]
            fields = type(self).model_fields
            shown = {"to": callee}
            return [
                Problem(
                    (name,),
                    refused_argument(detail, fields[name], arguments.get(name), shown.get(name, name)),
                )
                for name, detail in details
            ]
        return []

    def _given(self) -> Iterator[tuple[str, Any]]:
        return ((field, value) for field, value in vars(self).items() if value is not None)

    def _warnings(self) -> list[str]:
        given = {field for field in self.model_fields_set if getattr(self, field) not in (False, "false")}
        return warnings_about(given, self.machine_detection_timeout, self.twiml)


@cache
def _wire_name(field: str) -> str:
    return "".join(word.capitalize() for word in field.split("_"))


def _sorted_out(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Find what is set, under its field's name, and what is not an argument of a call."""
    fields = CreateCallParams.model_fields
    given: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in arguments.items():
        field = "from_" if name == "from" else str(name)
        if field not in fields:
            problems.append(Problem((field,), unknown_argument(field, fields)))
            continue
        if isinstance(value, str) and value != value.strip() and not rule_of(fields[field]).secret:
            value = value.strip()
        if _is_unset(value):
            continue
        if field in given:
            problems.append(Problem((field,), "from and from_ are the same argument: give one of them"))
        given[field] = value
    return given, problems


def _is_unset(value: object) -> bool:
    if isinstance(value, str):
        return value.strip() in ("", "None")
    return value is None or (isinstance(value, (list, tuple, set, frozenset)) and not value)
