"""TwiML: words are turned into it, and documents written by hand are checked before Twilio reads them."""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from itertools import accumulate
from xml.etree import ElementTree
from xml.parsers import expat
from xml.sax.saxutils import escape

TWIML_MAX_CHARACTERS = 4000
"""Twilio's limit for TwiML sent along with a call, counted after XML escaping (error 32018)."""

CUT_ENDING = " … The rest of this message was cut."
"""What is said at the end of a message that was too long, so that the callee knows that there was more."""

logger = logging.getLogger(__name__)

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_LONGEST_WORD = 100
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def message_to_twiml(message: str) -> str:
    """Turn words into a TwiML document that says them.

    Characters that XML cannot carry (control characters, lone surrogates) become blanks. What does not fit
    into Twilio's 4,000 characters is cut at a word, and the message then ends by saying so.

    :raises ValueError: the message is no text, or holds nothing that could be said.
    """
    if not isinstance(message, str):
        raise ValueError(f"message is {type(message).__name__}, not text: give the words to say as a string")
    words = _NOT_XML.sub(" ", message.replace("\r\n", "\n").replace("\r", "\n"))
    if not words.strip():
        raise ValueError(
            "message is empty: give the words to say, and look whether a template rendered to nothing"
        )
    room = TWIML_MAX_CHARACTERS - len(_say(""))
    return _say(_cut(words, room))


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
            f"has the root element <{elements[0]}>: the root must be <Response>, written exactly so"
        )


def _say(words: str) -> str:
    response = ElementTree.Element("Response")
    ElementTree.SubElement(response, "Say").text = words
    return _DECLARATION + ElementTree.tostring(response, encoding="unicode", short_empty_elements=False)


def _cut(words: str, room: int) -> str:
    """Cut at the last blank so that the words fit after escaping; inside a word where no blank is near."""
    if len(escape(words)) <= room:
        return words
    words = words.strip()
    lengths = list(accumulate(len(escape(character)) for character in words))
    if lengths[-1] <= room:
        return words
    kept = words[: bisect_right(lengths, room - len(CUT_ENDING))]
    ends_within_a_word = not words[len(kept)].isspace() and not kept[-1].isspace()
    if ends_within_a_word:
        whole_words = re.sub(r"\S+\Z", "", kept)
        if len(kept) - len(whole_words) <= _LONGEST_WORD:
            kept = whole_words
    logger.warning("The message has %d characters, of which the first %d are said.", len(words), len(kept))
    return kept.rstrip() + CUT_ENDING


def _refuse_doctype(*_: object) -> None:
    raise ValueError("has a DOCTYPE: TwiML needs none, and entities are not expanded here: remove it")
