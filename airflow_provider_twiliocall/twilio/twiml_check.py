"""TwiML that was written by hand: what Twilio could not read, and what it would ignore."""

from __future__ import annotations

from difflib import get_close_matches
from xml.etree import ElementTree
from xml.parsers import expat

TWIML_MAX_CHARACTERS = 4000
"""Twilio's limit for TwiML sent along with a call, counted after XML escaping (error 32018)."""

# What may stand where, by Twilio's page "TwiML for Programmable Voice" and its SDK. Names are case-sensitive.
KNOWN_IN = {
    "Response": (
        *(
            "Connect",
            "Dial",
            "Echo",
            "Enqueue",
            "Gather",
            "Hangup",
            "Leave",
            "Pause",
            "Pay",
            "Play",
            "Prompt",
        ),
        *("Queue", "Record", "Redirect", "Refer", "Reject", "Say", "Sms", "Start", "Stop"),
    ),
    "Gather": ("Pause", "Play", "Say"),
    "Prompt": ("Pause", "Play", "Say"),
    "Dial": ("Application", "Client", "Conference", "Number", "Queue", "Sim", "Sip", "WhatsApp"),
}


def check_twiml(twiml: str) -> None:
    """Refuse TwiML that Twilio could not read. Entities are never expanded: a DOCTYPE is refused outright.

    :raises ValueError: too long, no well-formed XML, or another root than ``Response``; the message says what
        is wrong and where, and starts so that it can follow the name of the argument.
    """
    if len(twiml) > TWIML_MAX_CHARACTERS:
        raise ValueError(
            f"has {len(twiml)} characters after XML escaping and Twilio takes {TWIML_MAX_CHARACTERS}: "
            "shorten it, or serve it from a url (Twilio error 32018)"
        )
    if "<" not in twiml:
        raise ValueError("is text, not XML: for words to be said use message, or message_to_twiml()")
    parser = expat.ParserCreate()
    elements: list[str] = []
    parser.StartElementHandler = lambda name, _attributes: elements.append(name)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(twiml, True)
    except expat.ExpatError as error:
        raise ValueError(
            f"is not well-formed XML ({expat.ErrorString(error.code)} at line {error.lineno}, "
            f"column {error.offset + 1}): close every element, and write & as &amp; and < as &lt; in text"
        ) from None
    if elements[0] != "Response":
        raise ValueError(
            f"has the root element <{elements[0]}>: the root must be <Response>, in exactly these letters"
        )


def unknown_verbs(twiml: str) -> list[str]:
    """Say which elements Twilio would ignore, because it does not know them there; each with its fix.

    :param twiml: a document that :func:`check_twiml` has let pass
    """
    return unknown_verbs_in(ElementTree.fromstring(twiml))


def unknown_verbs_in(root: ElementTree.Element) -> list[str]:
    """As :func:`unknown_verbs`, for a document that is read already."""
    found = {
        (parent.tag, child.tag)
        for parent in root.iter()
        if parent.tag in KNOWN_IN
        for child in parent
        if child.tag not in KNOWN_IN[parent.tag]
    }
    return [_about_unknown_verb(parent, child) for parent, child in sorted(found)]


def _about_unknown_verb(parent: str, name: str) -> str:
    known = {verb.casefold(): verb for verb in KNOWN_IN[parent]}
    near = get_close_matches(name.casefold(), known, n=1, cutoff=0.6)
    hint = f"write <{known[near[0]]}>" if near else f"it knows {', '.join(KNOWN_IN[parent])}"
    return (
        f"Twilio ignores <{name:.40}> in the <{parent}> of twiml, because it does not know it there: {hint}"
    )


def _refuse_doctype(*_: object) -> None:
    raise ValueError("has a DOCTYPE: TwiML needs none, and entities are not expanded here: remove it")
