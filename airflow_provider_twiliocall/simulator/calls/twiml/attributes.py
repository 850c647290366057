"""The attributes of the verbs: which there are, and which values Twilio takes instead of a wrong one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from airflow_provider_twiliocall.simulator.calls.twiml.verbs import Flaw

MOST_LOOPS = 1000
"""Twilio's limit for ``loop``; 0 means the same."""

_CALLBACK = "recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent"

# By Twilio's pages on each verb and the parameters of its SDK. Names are case-sensitive.
KNOWN: Mapping[str, frozenset[str]] = {
    verb: frozenset(names.split())
    for verb, names in {
        "Response": "",
        "Say": "voice loop language",
        "Play": "loop digits",
        "Pause": "length",
        "Gather": "input action method timeout speechTimeout maxSpeechTime profanityFilter finishOnKey numDigits "
        "partialResultCallback partialResultCallbackMethod language hints bargeIn debug actionOnEmptyResult "
        "speechModel enhanced",
        "Record": f"action method timeout finishOnKey maxLength playBeep trim {_CALLBACK} transcribe "
        "transcribeCallback recordingConfigurationId",
        "Redirect": "method",
        "Reject": "reason",
        "Hangup": "",
        "Dial": f"action method timeout hangupOnStar timeLimit callerId record trim {_CALLBACK} answerOnBridge "
        "ringTone recordingTrack sequential referUrl referMethod events passports recordingConfigurationId",
    }.items()
}

# Twilio's codes for a wrong value of an attribute. Any other gets 12200, "Schema validation warning".
CODES = {
    ("Gather", "finishOnKey"): 13310,
    ("Gather", "method"): 13312,
    ("Gather", "timeout"): 13313,
    ("Gather", "numDigits"): 13314,
    ("Gather", "actionOnEmptyResult"): 13338,
    ("Play", "loop"): 13410,
    ("Say", "loop"): 13510,
    ("Redirect", "method"): 13710,
    ("Pause", "length"): 13910,
}


class Rule(NamedTuple):
    """What an attribute's value must look like, whole."""

    form: str
    words: str


WHOLE = Rule(r"\d{1,9}", "a whole number")
AT_LEAST_ONE = Rule(r"0*[1-9]\d{0,8}", "a whole number of 1 or more")
METHOD = Rule("GET|POST", "GET or POST")
BOOLEAN = Rule("true|false", "true or false")
ONE_KEY_OR_NONE = Rule(r"[0-9*#]?", "one of 0123456789*# or empty")
KEYS = Rule(r"[0-9*#]*", "of 0123456789*#")
INPUT = Rule(r"dtmf|speech|dtmf speech|speech dtmf", "dtmf, speech or both")


class Attributes:
    """The attributes of one element. A wrong value becomes a flaw, and the default holds."""

    def __init__(self, verb: str, given: Mapping[str, str], flaws: list[Flaw]) -> None:
        self._verb, self._given, self._flaws = verb, given, flaws
        for name in sorted(set(given) - KNOWN[verb]):
            flaws.append(Flaw(12200, f"Attribute '{name}' is not allowed to appear in element '{verb}'."))

    def text(self, name: str, default: str, rule: Rule | None = None) -> str:
        """A value as it is written."""
        value = self._given.get(name, default)
        if name in self._given and rule is not None and not re.fullmatch(rule.form, value):
            code = CODES.get((self._verb, name), 12200)
            self._flaws.append(Flaw(code, f"{self._verb}: Invalid {name} value {value!r}: not {rule.words}"))
            return default
        return value

    def number(self, name: str, default: int, rule: Rule = WHOLE) -> int:
        """A number, mostly of seconds."""
        return int(self.text(name, str(default), rule))

    def optional(self, name: str) -> str | None:
        """A value as it is written, or None where it is left out."""
        return self._given.get(name)

    def loops(self) -> int:
        """How often something is heard."""
        return min(self.number("loop", 1) or MOST_LOOPS, MOST_LOOPS)
