"""From the text of a TwiML document to what it tells Twilio to do, with Twilio's codes for what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from airflow_provider_twiliocall.simulator.calls.twiml.attributes import (
    AT_LEAST_ONE,
    BOOLEAN,
    INPUT,
    KEYS,
    METHOD,
    ONE_KEY_OR_NONE,
    Attributes,
)
from airflow_provider_twiliocall.simulator.calls.twiml.verbs import (
    PLAY_SECONDS,
    Dial,
    Document,
    Flaw,
    Gather,
    Hangup,
    Record,
    Redirect,
    Sound,
    Verb,
    seconds_of_tones,
    seconds_to_say,
)
from airflow_provider_twiliocall.twilio.twiml_check import KNOWN_IN, unknown_verbs_in

LARGEST_BODY = 64 * 1024
"""Bytes of TwiML that Twilio reads from a web server (error 11750)."""


class UnreadableError(Exception):
    """Twilio cannot execute this at all: the call hears an apology and ends."""

    def __init__(self, code: int, message: str) -> None:
        self.flaw = Flaw(code, message, is_error=True)
        super().__init__(code, message)


class _WithoutDoctype(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Entities are never expanded here."""
        raise UnreadableError(12100, "Document parse failure: a DOCTYPE is not allowed")


def read_twiml(text: str) -> Document:
    """Read a document.

    :raises UnreadableError: no well-formed XML (12100) or another root than ``Response`` (12102).
    """
    parser = ElementTree.XMLParser(target=_WithoutDoctype())
    try:
        parser.feed(text)
        root = parser.close()
    except ElementTree.ParseError as error:
        raise UnreadableError(12100, f"Document parse failure: {error}") from error
    if root.tag != "Response":
        raise UnreadableError(12102, f"The root element must be Response, not {root.tag}")
    flaws = [Flaw(12200, message) for message in unknown_verbs_in(root)]
    Attributes("Response", root.attrib, flaws)
    verbs: list[Verb] = []
    passed_over = []
    for element in root:
        if element.tag in _READERS:
            verbs.append(_READERS[element.tag](element, flaws))
        elif element.tag in KNOWN_IN["Response"]:
            passed_over.append(element.tag)
    return Document(tuple(verbs), tuple(flaws), tuple(passed_over))


def read_answer(status: int | None, content_type: str, body: str) -> Document:
    """Read what a web server has answered, by its content type, as Twilio does.

    Plain text is said and audio is played (Twilio's page "TwiML for Programmable Voice").

    :param status: None if there was no answer; ``body`` then says why.
    :raises UnreadableError: no answer or an HTTP error (11200), a content type that Twilio does not take (12300),
        too long (11750), or what :func:`read_twiml` raises.
    """
    if status is None:
        raise UnreadableError(11200, f"HTTP retrieval failure: {body}")
    if not 200 <= status < 300:
        raise UnreadableError(11200, f"HTTP retrieval failure: the answer has status {status}")
    if len(body.encode()) > LARGEST_BODY:
        raise UnreadableError(11750, f"TwiML response body too large: more than {LARGEST_BODY} bytes")
    kind = content_type.partition(";")[0].strip().lower()
    if not kind:
        raise UnreadableError(11200, "HTTP retrieval failure: the answer has no Content-Type")
    if kind in ("text/xml", "application/xml", "text/html"):
        return read_twiml(body)
    if kind == "text/plain":
        return Document((Sound("Say", body, seconds_to_say(body)),))
    if kind.startswith("audio/"):
        return Document((Sound("Play", "", PLAY_SECONDS),))
    raise UnreadableError(12300, f"Invalid Content-Type: {kind}")


def _words(element: ElementTree.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _say(element: ElementTree.Element, flaws: list[Flaw]) -> Sound:
    loops = Attributes("Say", element.attrib, flaws).loops()
    text = _words(element)
    if not text:
        flaws.append(Flaw(13520, "Say: Invalid text: there is nothing to say"))
    return Sound("Say", text, seconds_to_say(text) * loops)


def _play(element: ElementTree.Element, flaws: list[Flaw]) -> Sound:
    attributes = Attributes("Play", element.attrib, flaws)
    loops, digits = attributes.loops(), attributes.text("digits", "")
    if digits:
        return Sound("Play", digits, seconds_of_tones(digits) * loops)
    url = _words(element)
    return Sound("Play", url, PLAY_SECONDS * loops if url else 0.0)


def _pause(element: ElementTree.Element, flaws: list[Flaw]) -> Sound:
    return Sound("Pause", "", Attributes("Pause", element.attrib, flaws).number("length", 1))


_SOUNDS: dict[str, Callable[[ElementTree.Element, list[Flaw]], Sound]] = {
    "Say": _say,
    "Play": _play,
    "Pause": _pause,
}


def _gather(element: ElementTree.Element, flaws: list[Flaw]) -> Gather:
    attributes = Attributes("Gather", element.attrib, flaws)
    num_digits = attributes.number("numDigits", 0, AT_LEAST_ONE)
    # "auto" is a timeout for speech alone, which is never heard here.
    automatic = attributes.optional("timeout") == "auto"
    return Gather(
        sounds=tuple(_SOUNDS[each.tag](each, flaws) for each in element if each.tag in _SOUNDS),
        action=attributes.text("action", "").strip(),
        method=attributes.text("method", "POST", METHOD),
        timeout=5 if automatic else attributes.number("timeout", 5),
        finish_on_key=attributes.text("finishOnKey", "#", ONE_KEY_OR_NONE),
        num_digits=num_digits or None,
        action_on_empty_result=attributes.text("actionOnEmptyResult", "false", BOOLEAN) == "true",
        hears_keys="dtmf" in attributes.text("input", "dtmf", INPUT),
    )


def _record(element: ElementTree.Element, flaws: list[Flaw]) -> Record:
    attributes = Attributes("Record", element.attrib, flaws)
    return Record(
        action=attributes.text("action", "").strip(),
        method=attributes.text("method", "POST", METHOD),
        timeout=attributes.number("timeout", 5),
        max_length=attributes.number("maxLength", 3600, AT_LEAST_ONE),
        finish_on_key=attributes.text("finishOnKey", "1234567890*#", KEYS),
    )


def _dial(element: ElementTree.Element, flaws: list[Flaw]) -> Dial:
    attributes = Attributes("Dial", element.attrib, flaws)
    return Dial(
        action=attributes.optional("action"),
        method=attributes.text("method", "POST", METHOD),
        time_limit=attributes.number("timeLimit", 14_400, AT_LEAST_ONE),
    )


def _redirect(element: ElementTree.Element, flaws: list[Flaw]) -> Redirect:
    method = Attributes("Redirect", element.attrib, flaws).text("method", "POST", METHOD)
    return Redirect(_words(element), method)


def _hangup(element: ElementTree.Element, flaws: list[Flaw]) -> Hangup:
    Attributes(element.tag, element.attrib, flaws)
    return Hangup()


_READERS: dict[str, Callable[[ElementTree.Element, list[Flaw]], Any]] = {
    **_SOUNDS,
    "Gather": _gather,
    "Record": _record,
    "Dial": _dial,
    "Redirect": _redirect,
    "Hangup": _hangup,
    "Reject": _hangup,
}
