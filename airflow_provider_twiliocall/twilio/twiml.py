"""TwiML, made of words or of a recording."""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from urllib.parse import quote_plus
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from airflow_provider_twiliocall.twilio.speech import words_for_ears
from airflow_provider_twiliocall.twilio.twiml_check import TWIML_MAX_CHARACTERS
from airflow_provider_twiliocall.twilio.url import check_url

CUT_ENDING = " … The rest of this message was cut."
"""Said at the end of a message that was too long."""

PAUSE_S = 1
"""Seconds of silence before the first word, and before each repetition."""

MOST_REPEATS = 1000
"""Twilio's limit for a loop."""

logger = logging.getLogger(__name__)

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_LONGEST_WORD = 100

# What one <Say> may hold (Twilio error 13521). Polly's limit is the lowest, and an account may have Polly as default.
_BASIC_VOICES = ("man", "woman", "alice")
_BASIC_BYTES, _OTHER_BYTES, _URL_ENCODED_CHARACTERS = 4096, 3000, 4500

_VOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")
# A language, never a voice: en, en-GB, en_gb.
_LOCALE = re.compile(r"[A-Za-z]{2}|[A-Za-z]{2,3}[-_][A-Za-z]{2}")
_VENDOR_VOICE = re.compile(r"[A-Za-z]+\.\S")
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def message_to_twiml(
    message: str,
    *,
    voice: str | None = None,
    language: str | None = None,
    repeat: int | str = 1,
    verbatim: bool = False,
) -> str:
    """Turn words into a TwiML document that says them, after a second of silence.

    The words are rewritten for ears, see :func:`.words_for_ears`. Characters that XML cannot carry (control
    characters, lone surrogates) become blanks.

    The document fits into Twilio's 4,000 characters. Repetitions that do not fit become a loop of Twilio's, without
    pauses. Words that do not fit even once are cut, and the message ends by saying so. Words too long for one
    ``<Say>`` go on in the next. Those cannot be looped, and are said as often as they fit, at least once.

    :param voice: such as ``Polly.Amy``; default: the account's own. It has to speak the language
    :param language: such as ``fr-FR``
    :param repeat: how often the words are said, 1 to 1000
    :param verbatim: whether the words are said exactly as they are written
    :raises ValueError: the message is not text or has nothing to say, or an option is wrong
    """
    if not isinstance(message, str):
        raise ValueError(f"message is {type(message).__name__}, not text: give the words to say as a string")
    text = message.replace("\r\n", "\n").replace("\r", "\n")
    words = _carried_by_xml(text)
    if not words.strip():
        raise ValueError(
            "message is empty: give the words to say, and check whether a template rendered to nothing"
        )
    attributes = _say_attributes(voice, language)
    if not verbatim:
        put_for_ears = _carried_by_xml(words_for_ears(text, language=language))
        words = put_for_ears if put_for_ears.strip() else words
    times = _times(repeat)

    def say(words: str) -> tuple[str, int]:
        return _document("Say", _pieces(words, voice), attributes, times)

    twiml, said = _cut_to_fit(words, say)
    if said < times:
        logger.warning("Of the %d times that the message should be said, %d fit into one call.", times, said)
    return twiml


def audio_to_twiml(audio_url: str, *, repeat: int | str = 1) -> str:
    """Turn the URL of a recording (MP3, WAV and the like) into a TwiML document that plays it.

    :param repeat: how often it is played, 1 to 1000
    :raises ValueError: not an absolute http or https URL, or too long a one
    """
    if not isinstance(audio_url, str):
        raise ValueError(f"audio_url is {type(audio_url).__name__}, not text: give the URL as a string")
    try:
        check_url(audio_url)
    except ValueError as error:
        raise ValueError(f"audio_url={error}") from None
    twiml, _ = _document("Play", [audio_url], {}, _times(repeat))
    if len(twiml) > TWIML_MAX_CHARACTERS:
        raise ValueError(
            f"audio_url has {len(audio_url)} characters, too many for the {TWIML_MAX_CHARACTERS} that Twilio "
            "takes: give a shorter one"
        )
    return twiml


def verbs_of(twiml: str) -> str:
    """Return what stands in the root of a TwiML document of ours."""
    return "".join(ElementTree.tostring(verb, encoding="unicode") for verb in ElementTree.fromstring(twiml))


def _carried_by_xml(text: str) -> str:
    return _NOT_XML.sub(" ", text)


def _say_attributes(voice: str | None, language: str | None) -> dict[str, str]:
    if voice is not None:
        _check_voice(voice)
    if language is not None:
        _check_language(language)
    given = {"voice": voice, "language": language}
    return {name: value for name, value in given.items() if value is not None}


def _check_voice(voice: object) -> None:
    if not isinstance(voice, str) or not _VOICE.fullmatch(voice):
        raise ValueError(
            f"voice={voice!r:.80} is not the name of a voice: give one such as 'Polly.Amy', or leave it out"
        )
    if _LOCALE.fullmatch(voice):
        raise ValueError(
            f"voice={voice!r} is a language: give it as language={_as_language(voice)!r}, and as voice one such as "
            "'Polly.Amy', or none"
        )


def _check_language(language: object) -> None:
    if isinstance(language, str) and (language in _BASIC_VOICES or _VENDOR_VOICE.match(language)):
        raise ValueError(
            f"language={language!r:.80} is a voice: give it as voice, and a language such as 'fr-FR' or none"
        )
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        instead = "fr-FR"
        if isinstance(language, str) and _LOCALE.fullmatch(language.strip()):
            instead = _as_language(language.strip())
        raise ValueError(
            f"language={language!r:.80} is not a language: give one such as {instead!r}, or leave it out"
        )


def _as_language(locale: str) -> str:
    language, *rest = re.split("[-_]", locale)
    return "-".join([language.lower(), *(part.upper() for part in rest)])


def _times(repeat: int | str) -> int:
    times = -1
    if isinstance(repeat, int) and not isinstance(repeat, bool):
        times = repeat
    elif isinstance(repeat, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", repeat):
        times = int(repeat)
    if not 1 <= times <= MOST_REPEATS:
        raise ValueError(
            f"repeat={repeat!r:.80} is not a number of times: give a whole number from 1 to {MOST_REPEATS}, "
            "1 says the message once"
        )
    return times


def _document(verb: str, texts: Sequence[str], attributes: Mapping[str, str], times: int) -> tuple[str, int]:
    """Write the document with as many repetitions as fit, at least one; return it and their number."""
    can_loop = len(texts) == 1
    for most in range(min(times, TWIML_MAX_CHARACTERS // sum(map(len, texts))), 1, -1):
        if can_loop and most < times:
            break
        twiml = _write(verb, texts, attributes, most)
        if len(twiml) <= TWIML_MAX_CHARACTERS:
            return twiml, most
    if can_loop and times > 1:
        return _write(verb, texts, {**attributes, "loop": str(times)}, 1), times
    return _write(verb, texts, attributes, 1), 1


def _write(verb: str, texts: Sequence[str], attributes: Mapping[str, str], times: int) -> str:
    response = ElementTree.Element("Response")
    for _ in range(times):
        ElementTree.SubElement(response, "Pause", length=str(PAUSE_S))
        for text in texts:
            ElementTree.SubElement(response, verb, dict(attributes)).text = text
    return _DECLARATION + ElementTree.tostring(response, encoding="unicode")


def _cut_to_fit(words: str, write: Callable[[str], tuple[str, int]]) -> tuple[str, int]:
    """Write the document with as many words as fit. If some do not fit, it ends by saying so."""
    if len(words) <= TWIML_MAX_CHARACTERS:
        whole = write(words)
        if len(whole[0]) <= TWIML_MAX_CHARACTERS:
            return whole
    words = words.strip()
    room = TWIML_MAX_CHARACTERS - len(_DECLARATION)
    while True:
        kept = _cut(words, room)
        written = write(kept)
        excess = len(written[0]) - TWIML_MAX_CHARACTERS
        if excess <= 0:
            break
        room -= excess
    if kept != words:
        said = len(kept) - len(CUT_ENDING)
        logger.warning("The message has %d characters, of which the first %d are said.", len(words), said)
    return written


def _cut(words: str, room: int) -> str:
    lengths = list(accumulate(len(escape(character)) for character in words[: room + 1]))
    if lengths[-1] <= room:
        return words
    count = bisect_right(lengths, room - len(CUT_ENDING))
    return words[: _end_of_word(words, count)].rstrip() + CUT_ENDING


def _pieces(words: str, voice: str | None) -> list[str]:
    """Divide the words between words into pieces that each fit into one ``<Say>``."""
    most_bytes = _BASIC_BYTES if voice in _BASIC_VOICES else _OTHER_BYTES
    pieces = []
    while len(words.encode()) > most_bytes or len(quote_plus(words)) > _URL_ENCODED_CHARACTERS:
        sizes = accumulate(len(character.encode()) for character in words)
        encoded = accumulate(len(quote_plus(character)) for character in words)
        count = min(bisect_right([*sizes], most_bytes), bisect_right([*encoded], _URL_ENCODED_CHARACTERS))
        end = _end_of_word(words, count)
        pieces.append(words[:end])
        words = words[end:]
    return [*pieces, words]


def _end_of_word(words: str, count: int) -> int:
    """Find where to cut after at most so many characters: at a blank, or inside a word if no blank is near."""
    if words[count].isspace() or words[count - 1].isspace():
        return count
    begun = words[:count].split()[-1]
    return count - len(begun) if len(begun) <= min(_LONGEST_WORD, count - 1) else count
