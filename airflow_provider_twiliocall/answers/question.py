"""What a callee is asked: which keys may be pressed, and what is heard before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from xml.etree import ElementTree

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'

# Seconds of silence after which the question counts as heard in vain; Twilio's own default.
PATIENCE_S = 5


@dataclass(frozen=True)
class Question:
    """One question, as the receiver has to know it. Of no callee, so there is no phone number in it.

    :param token: of the run of the task that asks
    :param options: what each key means, by key
    :param words: TwiML without its root: what is heard while keys are taken
    :param thanks: the same, after one of the keys
    :param goodbye: the same, when nobody has pressed one of them
    :param thanks_by_key: instead of ``thanks``, by key
    :param ask_times: how often it is asked, the first time included
    """

    token: str
    options: Mapping[str, str]
    words: str
    thanks: str
    goodbye: str
    ask_times: int = 3
    thanks_by_key: Mapping[str, str] = field(default_factory=dict)

    def twiml(self, action: str) -> str:
        """Return the TwiML that asks.

        :param action: the URL to which Twilio sends the key, or that none was pressed
        """
        gather = ElementTree.Element(
            "Gather",
            input="dtmf",
            numDigits="1",
            timeout=str(PATIENCE_S),
            action=action,
            actionOnEmptyResult="true",
        )
        gather.extend(ElementTree.fromstring(f"<Response>{self.words}</Response>"))
        return _document([gather])

    def thanks_twiml(self, key: str) -> str:
        """Return the TwiML for who has answered with a key."""
        return response(self.thanks_by_key.get(key, self.thanks))

    def goodbye_twiml(self) -> str:
        """Return the TwiML for who has not answered."""
        return response(self.goodbye)

    def to_json(self) -> dict[str, Any]:
        """Return it for Airflow to keep."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Question:
        """Read what :meth:`to_json` wrote; what a later version added is ignored."""
        return cls(**{each.name: value[each.name] for each in fields(cls) if each.name in value})


def response(verbs: str) -> str:
    """Return a whole TwiML document of verbs, which may be none."""
    return _document(ElementTree.fromstring(f"<Response>{verbs}</Response>"))


def _document(verbs: Any) -> str:
    root = ElementTree.Element("Response")
    root.extend(verbs)
    return _DECLARATION + ElementTree.tostring(root, encoding="unicode")
