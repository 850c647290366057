"""What is heard in a call: words, a recording or instructions of Twilio's; the rules for what excludes what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.arguments.call_arguments import SPEECH_FIELDS
from airflow_provider_twiliocall.arguments.templated import is_blank, is_literal

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.param_problems import Problem

SAYS_WHAT = ("message", "audio_url", "url", "twiml", "application_sid")

# What each way of speaking has a meaning for.
_SPOKEN = {
    "voice": ("message",),
    "language": ("message",),
    "verbatim": ("message",),
    "repeat": ("message", "audio_url"),
}

_TWIML = re.compile(r"\s*(<\?xml\b|<(Response|Say|Play|Pause|Gather)\b)")
_WORDS = "give the words to say"


def problems_of_content(
    asked: Mapping[str, Any], *, is_rendered: bool, has_default_message: bool = False
) -> list[Problem]:
    """Say what is wrong with what is to be heard.

    :param asked: the arguments of a call, by name
    :param is_rendered: whether all of them are known; if not, templates may still come to anything, or to nothing
    :param has_default_message: whether something is said where nothing is given
    """
    message = asked.get("message")
    if text := _wrong_message(message, is_rendered=is_rendered):
        return [_problem("message", text=text)]
    possible = [name for name in SAYS_WHAT if not is_blank(asked.get(name))]
    certain = [name for name in possible if is_rendered or is_literal(asked[name])]
    if not possible and not has_default_message:
        text = "one of message, audio_url, url, twiml and application_sid has to say what the callee hears"
        if message is not None:
            text = f"message is empty: {_WORDS}, and check whether a template rendered to nothing"
        return [_problem(*SAYS_WHAT, text=text)]
    if len(certain) > 1 and certain[0] in SPEECH_FIELDS:
        text = f"{' and '.join(certain)} exclude one another: keep the one the callee shall hear"
        return [_problem(*certain, text=text)]
    if possible != certain:
        return []
    heard = certain[0] if certain else "message"
    return [
        _problem(
            name,
            text=f"{name} has a meaning only for a {' or '.join(has_meaning)}: leave it out (it may also come from "
            "default_args)",
        )
        for name, has_meaning in _SPOKEN.items()
        if heard not in has_meaning and not is_blank(asked.get(name))
    ]


def is_true(name: str, value: Any) -> bool:
    """Read a switch as templates render it; nothing is False.

    :raises ValueError: neither True nor False
    """
    if value is None:
        return False
    words = {"true": True, "false": False}
    if str(value).strip().lower() not in words:
        raise ValueError(f"{name}={value!r:.80} is neither True nor False")
    return words[str(value).strip().lower()]


def _problem(*arguments: str, text: str) -> Problem:
    # Not loaded for a DAG that is in order.
    from airflow_provider_twiliocall.twilio.param_problems import Problem

    return Problem(arguments, text)


def _wrong_message(message: Any, *, is_rendered: bool) -> str | None:
    if message is None or (is_rendered and is_blank(message)):
        return None
    if not isinstance(message, str):
        is_known = is_rendered or is_literal(message)
        return f"message is {type(message).__name__}, not text: {_WORDS} as a string" if is_known else None
    if is_blank(message):
        return f"message is empty: {_WORDS}, or leave it out"
    if _TWIML.match(message):
        return "message is TwiML, and its tags would be said as words: give it as twiml instead"
    return None
