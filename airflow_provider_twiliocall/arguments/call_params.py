"""From an operator's rendered arguments to checked parameters: what the operator adds to Twilio's own fields."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from airflow_provider_twiliocall.arguments.checks import read_seconds
from airflow_provider_twiliocall.arguments.content import SAYS_WHAT, is_true, problems_of_content
from airflow_provider_twiliocall.arguments.redaction import RedactionError, redacted
from airflow_provider_twiliocall.arguments.templated import is_blank
from airflow_provider_twiliocall.twilio.call import AnsweredBy, answerers
from airflow_provider_twiliocall.twilio.param_problems import Problem, problems_about
from airflow_provider_twiliocall.twilio.params import CallParamsError, CreateCallParams, numbers_in_e164
from airflow_provider_twiliocall.twilio.twiml import PAUSE_S, audio_to_twiml, message_to_twiml
from airflow_provider_twiliocall.twilio.twiml_check import TWIML_MAX_CHARACTERS, unknown_verbs

logger = logging.getLogger(__name__)

_SILENCE = "<Response/>"
_SECRETS = ("sip_auth_password", "call_token")

# Some 120 words a minute; Twilio's voices say 150 to 180.
SLOW_SPEECH_CHARACTERS_PER_S = 10

# How long answering machine detection listens, unless machine_detection_timeout says otherwise.
DETECTION_S = 30

# Twilio's own default.
LONGEST_CALL_S = 14_400


def mask_secrets(asked_for: Any) -> None:
    """Keep the secrets among the arguments of a call out of logs.

    :param asked_for: the operator or notifier, with the arguments as rendered
    """
    from airflow.sdk.log import mask_secret

    for name in _SECRETS:
        if secret := getattr(asked_for, name):
            mask_secret(str(secret))


def params_from_arguments(
    arguments: Mapping[str, Any],
    said: Mapping[str, Any],
    *,
    accept_answered_by: Any,
    default_country: str | None = None,
) -> CreateCallParams:
    """Turn an operator's arguments into parameters.

    :param arguments: Twilio's fields by name, as rendered
    :param said: those of :data:`.SPEECH_FIELDS`, as rendered, which become TwiML. What Airflow masks in its logs is
        not said. A message gives the call a ``time_limit`` by its length unless it has one
    :param accept_answered_by: as rendered; implies answering machine detection after the beep, so that a
        voicemail has the message too
    :param default_country: of phone numbers without country code, as ISO 3166 has it; None: they are refused
    :raises CallParamsError: all mistakes at once
    """
    fields, refusals = numbers_in_e164(arguments, default_country)
    speech = {name: value for name, value in said.items() if not is_blank(value)}
    problems = [*problems_of_content({**arguments, **said}, is_rendered=True), *_problems_of_speech(speech)]
    if not problems:
        saying = "audio_url" if "audio_url" in speech else "message"
        problems = problems_about(
            saying, check=lambda: fields.update(_fields_of_what_is_said(speech, fields))
        )
    if isinstance(reason := fields["call_reason"], str):
        # The callee's phone shows it.
        problems += problems_about(
            "call_reason", check=lambda: fields.update(call_reason=_without_secrets("call_reason", reason))
        )
    if problems:
        # So that the missing TwiML is not complained of a second time.
        fields.update(url=None, application_sid=None, twiml=_SILENCE)
    problems += _problems_of_answerers(accept_answered_by, fields["send_digits"])
    accepted = None if problems else answerers(accept_answered_by)
    if accepted is not None and is_blank(fields["machine_detection"]):
        # Only Enable reports a machine at its first word; the other leaves the message after the beep.
        wants_start = AnsweredBy.MACHINE_START in accepted
        fields["machine_detection"] = "Enable" if wants_start else "DetectMessageEnd"
    try:
        params = CreateCallParams(**fields)
    except CallParamsError as error:
        # Of a number, in the words of who knows the default country.
        told = {problem.arguments for problem in refusals}
        others = [problem for problem in error.problems if problem.arguments not in told]
        raise CallParamsError([*problems, *refusals, *others]) from None
    if problems:
        raise CallParamsError(problems)
    return params


def problems_of_literals(known: Mapping[str, Any], *, later: Collection[str]) -> list[Problem]:
    """Say what is wrong with the arguments that are known when a DAG is parsed; log what Twilio would pass over.

    :param known: by name, without numbers and message
    :param later: names of those that are given too, with values that are not known yet
    """
    fields = {name: value for name, value in known.items() if name in CreateCallParams.model_fields}
    problems = [
        *_problems_of_speech({name: value for name, value in known.items() if not is_blank(value)}),
        *_problems_of_answerers(known.get("accept_answered_by"), known.get("send_digits")),
        *CreateCallParams.problems_of(fields, later=later),
    ]
    twiml = known.get("twiml")
    if not problems and isinstance(twiml, str) and not is_blank(twiml):
        for warning in unknown_verbs(twiml.strip()):
            logger.warning(warning)
    return problems


def _problems_of_speech(speech: Mapping[str, Any]) -> list[Problem]:
    """Say what is wrong with each way of speaking, and with a recording."""
    checks: dict[str, Callable[[Any], object]] = {
        "voice": lambda voice: message_to_twiml("heard", voice=voice),
        "language": lambda language: message_to_twiml("heard", language=language),
        "repeat": lambda repeat: message_to_twiml("heard", repeat=repeat),
        "verbatim": lambda verbatim: is_true("verbatim", verbatim),
        "audio_url": audio_to_twiml,
    }
    return [
        problem
        for name, check in checks.items()
        if name in speech
        for problem in problems_about(name, check=partial(check, speech[name]))
    ]


def _problems_of_answerers(accept_answered_by: Any, send_digits: Any) -> list[Problem]:
    problems = problems_about("accept_answered_by", check=lambda: answerers(accept_answered_by))
    if problems or accept_answered_by is None or is_blank(send_digits):
        return problems
    text = (
        "accept_answered_by needs answering machine detection, which Twilio switches off for calls with "
        "send_digits: drop one of the two"
    )
    return [Problem(("accept_answered_by", "send_digits"), text)]


def _fields_of_what_is_said(speech: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the TwiML that says it, with the time that takes; nothing where Twilio is told otherwise.

    :param speech: those of :data:`.SPEECH_FIELDS` that are given
    :raises ValueError: it cannot be said
    """
    repeat = speech.get("repeat", 1)
    if "audio_url" in speech:
        return {"twiml": audio_to_twiml(speech["audio_url"], repeat=repeat)}
    if any(not is_blank(fields[name]) for name in SAYS_WHAT if name in fields):
        return {}
    message = _without_secrets("message", speech["message"])
    twiml = message_to_twiml(
        message,
        voice=speech.get("voice"),
        language=speech.get("language"),
        repeat=repeat,
        verbatim=is_true("verbatim", speech.get("verbatim")),
    )
    if not is_blank(fields["time_limit"]):
        return {"twiml": twiml}
    limit = time_limit_for(message, fields["machine_detection_timeout"], repeat=repeat)
    return {"twiml": twiml, "time_limit": limit}


def _without_secrets(name: str, words: str) -> str:
    """Redact words as Airflow redacts its logs."""
    try:
        return redacted(words)
    except RedactionError as error:
        raise ValueError(f"{name}: {error}") from None


def time_limit_for(message: str, detection_timeout: Any = None, *, repeat: Any = 1) -> int:
    """Return the seconds after which a call that says a message has long said it, and somebody forgot to hang up.

    Twice the time a slow voice takes for it, as often as it is said, after as long as Twilio may listen for who
    has answered, and a minute for the rest; never more than Twilio's own limit.

    :param detection_timeout: ``machine_detection_timeout`` as rendered
    :param repeat: how often the message is said, as rendered
    """
    listening = max(DETECTION_S, _seconds_to_detect(detection_timeout))
    times = int(repeat)
    # What does not fit into the TwiML is cut, and not said.
    said = min(len(message), TWIML_MAX_CHARACTERS)
    saying = times * said / SLOW_SPEECH_CHARACTERS_PER_S + (times - 1) * PAUSE_S
    return min(LONGEST_CALL_S, math.ceil(listening + 2 * saying + 60))


def _seconds_to_detect(given: Any) -> float:
    try:
        return min(LONGEST_CALL_S, read_seconds("machine_detection_timeout", given))
    except ValueError:
        # Not given, or refused elsewhere.
        return DETECTION_S
