"""What is heard in a call: words, a recording or instructions of Twilio's; the rules for what excludes what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_twiliocall.arguments.templated import is_blank, is_literal
from airflow_provider_twiliocall.twilio.fields import SPEECH_FIELDS

SAYS_WHAT = ("message", "audio_url", "url", "twiml", "application_sid")

# What each way of speaking has a meaning for.
_SPOKEN = {
    "voice": ("message",),
    "language": ("message",),
    "verbatim": ("message",),
    "repeat": ("message", "audio_url"),
}

_TWIML = re.compile(r"\s*(<\?xml\b|<(Response|Say|Play|Pause|Gather)\b)")
_NOTHING_IS_HEARD = (
    "one of message, audio_url, url, twiml and application_sid has to say what the callee hears"
)


def problems_of_content(fields: Mapping[str, Any], said: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with what is to be heard, once it is rendered.

    :param fields: Twilio's own, by name
    :param said: those of :data:`.SPEECH_FIELDS`
    """
    asked = {**fields, **said}
    heard = [name for name in SAYS_WHAT if not is_blank(asked[name])]
    if not heard and said["message"] is None:
        return [_NOTHING_IS_HEARD]
    return _too_much(heard) or _without_a_meaning(
        heard, (name for name in _SPOKEN if not is_blank(said[name]))
    )


def literal_problems_of_content(given: Mapping[str, Any], *, has_default_message: bool) -> list[str]:
    """Say what is wrong with what is to be heard, as far as it is known when a DAG is parsed.

    :param given: all arguments of a call that are given, by name; templates may still come to nothing
    :param has_default_message: whether something is said where nothing is given
    """
    if "message" in given and (problem := _problem_of_message(given["message"])):
        return [problem]
    possible = [name for name in SAYS_WHAT if not is_blank(given.get(name))]
    certain = [name for name in possible if is_literal(given[name])]
    if not possible and not has_default_message:
        return [_NOTHING_IS_HEARD]
    if problems := _too_much(certain):
        return problems
    if possible != certain:
        return []
    return _without_a_meaning(certain or ["message"], (name for name in _SPOKEN if name in given))


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


def _problem_of_message(message: Any) -> str | None:
    if not is_literal(message) and not isinstance(message, str):
        return None
    if not isinstance(message, str):
        return f"message is {type(message).__name__}, not text: give the words to say as a string"
    if is_blank(message):
        return "message is empty: give the words to say, or leave it out"
    if _TWIML.match(message):
        return "message is TwiML, and its tags would be said as words: give it as twiml instead"
    return None


def _too_much(heard: Sequence[str]) -> list[str]:
    if len(heard) > 1 and heard[0] in SPEECH_FIELDS:
        return [f"{' and '.join(heard)} exclude one another: keep the one the callee shall hear"]
    return []


def _without_a_meaning(heard: Sequence[str], ways: Iterable[str]) -> list[str]:
    return [
        f"{name} has a meaning only for a {' or '.join(_SPOKEN[name])}: leave it out (it may also come from "
        "default_args)"
        for name in ways
        if heard and heard[0] not in _SPOKEN[name]
    ]
