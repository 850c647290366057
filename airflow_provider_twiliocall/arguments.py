"""From an operator's rendered arguments to checked parameters: what the operator adds to Twilio's own fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from airflow_provider_twiliocall.outcome import answerers
from airflow_provider_twiliocall.twilio.call import AnsweredBy
from airflow_provider_twiliocall.twilio.params import CallParamsError, CreateCallParams
from airflow_provider_twiliocall.twilio.twiml import TWIML_MAX_CHARACTERS, message_to_twiml

_SAYS_WHAT = ("message", "url", "twiml", "application_sid")
_SILENCE = "<Response/>"

# Some 120 words a minute; Twilio's voices say 150 to 180.
SLOW_SPEECH_CHARACTERS_PER_S = 10

# How long answering machine detection listens, unless machine_detection_timeout says otherwise.
DETECTION_S = 30


def params_from_arguments(
    arguments: Mapping[str, Any], *, message: Any, accept_answered_by: Any
) -> CreateCallParams:
    """Turn an operator's arguments into parameters.

    :param arguments: Twilio's fields by name, as rendered
    :param message: words that become TwiML; the call gets a ``time_limit`` from their length unless it has one
    :param accept_answered_by: as rendered; implies answering machine detection after the beep, so that a
        voicemail has the message too
    :raises CallParamsError: all mistakes at once
    """
    problems: list[str] = []
    fields = dict(arguments)
    given = [name for name in _SAYS_WHAT if not _is_unset(message if name == "message" else fields[name])]
    if not given and message is None:
        problems.append("one of message, url, twiml and application_sid has to say what the callee hears")
    elif len(given) > 1 and "message" in given:
        problems.append(f"{' and '.join(given)} exclude one another: keep the one the callee shall hear")
    elif message is not None and given in ([], ["message"]):
        try:
            # A template that finds nothing renders to "None", which nobody means to have said.
            fields["twiml"] = message_to_twiml("" if _is_unset(message) else message)
            if _is_unset(fields["time_limit"]):
                fields["time_limit"] = time_limit_for(message, fields["machine_detection_timeout"])
        except ValueError as error:
            problems.append(str(error))
    if problems:
        # So that the missing TwiML is not complained of a second time.
        fields.update(url=None, application_sid=None, twiml=_SILENCE)
    try:
        accepted = answerers(accept_answered_by)
    except ValueError as error:
        problems.append(str(error))
        accepted = None
    if accepted is not None:
        if not _is_unset(fields["send_digits"]):
            problems.append(
                "accept_answered_by needs answering machine detection, which Twilio switches off for calls with "
                "send_digits: drop one of the two"
            )
        if _is_unset(fields["machine_detection"]):
            # Only Enable reports a machine at its first word; the other leaves the message after the beep.
            wants_start = AnsweredBy.MACHINE_START in accepted
            fields["machine_detection"] = "Enable" if wants_start else "DetectMessageEnd"
    try:
        params = CreateCallParams(**fields)
    except CallParamsError as error:
        raise CallParamsError(problems + error.problems) from None
    if problems:
        raise CallParamsError(problems)
    return params


def time_limit_for(message: str, detection_timeout: Any = None) -> int:
    """Return the seconds after which a call that says a message has long said it, and somebody forgot to hang up.

    Twice the time a slow voice takes for it, after as long as Twilio may listen for who has answered, and a
    minute for the rest.

    :param detection_timeout: ``machine_detection_timeout`` as rendered
    """
    given = str(detection_timeout).strip()
    listening = max(DETECTION_S, int(given) if given.isdecimal() else 0)
    # What does not fit into the TwiML is cut, and not said.
    said = min(len(message), TWIML_MAX_CHARACTERS)
    return math.ceil(listening + 2 * said / SLOW_SPEECH_CHARACTERS_PER_S + 60)


def _is_unset(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in ("", "None"))
