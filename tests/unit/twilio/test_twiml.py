"""Words and recordings become TwiML that Twilio can read."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twiliocall.twilio.twiml import (
    CUT_ENDING,
    MOST_REPEATS,
    audio_to_twiml,
    message_to_twiml,
)
from airflow_provider_twiliocall.twilio.twiml_check import TWIML_MAX_CHARACTERS, check_twiml
from tests.unit.examples import any_text, reproducible

something_to_say = any_text.filter(lambda text: "".join(filter(carried_by_xml, text)).strip() != "")
voices = st.sampled_from([None, "man", "Polly.Amy", "Google.en-GB-Chirp3-HD-Aoede"])
repeats = st.sampled_from([1, 2, 3, 7, MOST_REPEATS])


def verbs(twiml: str) -> list[ElementTree.Element]:
    response = ElementTree.fromstring(twiml.encode())
    assert response.tag == "Response"
    return list(response)


def heard(twiml: str) -> list[str]:
    """What the callee hears, silence as "…"; the verbs that say one text in parts are taken together."""
    parts: list[str] = []
    for verb in verbs(twiml):
        if verb.tag == "Pause":
            assert verb.attrib == {"length": "1"}
            parts += ["…", ""]
        else:
            parts[-1] += (verb.text or "") * int(verb.get("loop", "1"))
    return parts


def spoken(twiml: str) -> str:
    silence, words = heard(twiml)
    assert silence == "…"
    return words


def carried_by_xml(character: str) -> bool:
    code = ord(character)
    return character in "\t\n" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


# Words


def test_words_become_a_say_after_a_second_of_silence():
    assert message_to_twiml("Hello from etl") == (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Response><Pause length="1" /><Say>Hello from etl</Say></Response>'
    )


def test_words_are_escaped_exactly_once():
    twiml = message_to_twiml("rows < 5 & AT&amp;T")
    assert "<Say>rows &lt; 5 &amp; AT&amp;amp;T</Say>" in twiml
    assert spoken(twiml) == "rows < 5 & AT&amp;T"


@pytest.mark.parametrize("message", ["", "  \n", "\x00", "\ud800\x1b"])
def test_a_message_with_nothing_to_say_is_refused_with_the_fix(message):
    with pytest.raises(ValueError, match="message is empty: give the words to say"):
        message_to_twiml(message)


@pytest.mark.parametrize("message", [None, 5, b"hello", ["hello"]])
def test_a_message_that_is_no_text_is_refused_with_the_fix(message):
    with pytest.raises(ValueError, match="not text: give the words to say as a string"):
        message_to_twiml(message)


def test_words_are_made_for_ears_unless_they_are_to_be_said_as_written():
    message = "load_orders failed, see https://airflow.example.com/dags/load_orders"
    assert spoken(message_to_twiml(message)) == "load orders failed, see a link to airflow.example.com"
    assert spoken(message_to_twiml(message, verbatim=True)) == message


@pytest.mark.parametrize("message", ["___", "\x1b[0m_", "Traceback (most recent call last):"])
def test_words_of_which_ears_would_get_nothing_are_said_all_the_same(message):
    assert spoken(message_to_twiml(message)).strip()


@reproducible(examples=300)
@given(something_to_say)
def test_any_text_is_read_back_as_it_was_apart_from_what_xml_cannot_carry(text):
    one_line_end = text.replace("\r\n", "\n").replace("\r", "\n")
    twiml = message_to_twiml(text, verbatim=True)
    check_twiml(twiml)
    assert spoken(twiml) == "".join(
        character if carried_by_xml(character) else " " for character in one_line_end
    )


@pytest.mark.untraced
@reproducible(examples=300)
@given(something_to_say, st.integers(1, 3000), voices, repeats, st.booleans())
def test_any_long_text_fits_twilios_limit_and_still_parses(text, times, voice, repeat, verbatim):
    twiml = message_to_twiml(text * times, voice=voice, repeat=repeat, verbatim=verbatim)
    check_twiml(twiml)
    assert "".join(heard(twiml)).strip("…")


# Voice and language


def test_voice_and_language_are_told_to_every_say():
    twiml = message_to_twiml("Bonjour", voice="Polly.Lea-Neural", language="fr-FR", repeat=2)
    says = [verb.attrib for verb in verbs(twiml) if verb.tag == "Say"]
    assert says == [{"voice": "Polly.Lea-Neural", "language": "fr-FR"}] * 2


@pytest.mark.parametrize("language", ["en", "cmn-CN", "es-419", "zh-Hant-TW"])
def test_a_language_is_given_as_its_tag(language):
    assert verbs(message_to_twiml("hello", language=language))[1].attrib == {"language": language}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"voice": ""}, "voice='' is not the name of a voice: give one such as 'Polly.Amy', or leave it out"),
        ({"voice": 'man" loop="0'}, "is not the name of a voice"),
        ({"voice": 5}, "voice=5 is not the name of a voice"),
        ({"voice": "x" * 4000}, "is not the name of a voice"),
        ({"language": "french"}, "language='french' is not a language: give one such as 'fr-FR'"),
        ({"language": "fr_FR"}, "language='fr_FR' is not a language: give one such as 'fr-FR'"),
        ({"language": "en_gb"}, "language='en_gb' is not a language: give one such as 'en-GB'"),
        (
            {"voice": "en-gb"},
            "voice='en-gb' is a language: give it as language='en-GB', and as voice one such as 'Polly.Amy', or none",
        ),
        ({"voice": "fr_FR"}, "voice='fr_FR' is a language: give it as language='fr-FR'"),
        ({"voice": "de"}, "voice='de' is a language: give it as language='de'"),
        ({"voice": "cmn-CN"}, "voice='cmn-CN' is a language"),
        (
            {"language": "Polly.Amy"},
            "language='Polly.Amy' is a voice: give it as voice, and a language such as 'fr-FR'",
        ),
        ({"language": "man"}, "language='man' is a voice"),
        ({"repeat": 0}, "repeat=0 is not a number of times: give a whole number from 1 to 1000"),
        ({"repeat": -1}, "repeat=-1 is not a number"),
        ({"repeat": 1001}, "repeat=1001 is not a number"),
        ({"repeat": True}, "repeat=True is not a number"),
        ({"repeat": 1.5}, "repeat=1.5 is not a number"),
        ({"repeat": "twice"}, "repeat='twice' is not a number"),
        ({"repeat": None}, "repeat=None is not a number"),
    ],
)
def test_an_option_that_is_none_is_refused_with_the_fix(options, problem):
    with pytest.raises(ValueError, match=re.escape(problem)) as refused:
        message_to_twiml("hello", **options)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "voice", ["man", "alice", "Polly.Amy", "Polly.Amy-Neural", "Google.en-GB-Standard-A"]
)
def test_a_voice_is_taken_for_no_language(voice):
    assert verbs(message_to_twiml("hello", voice=voice))[1].attrib == {"voice": voice}


# Repeating


@pytest.mark.parametrize("repeat", [3, "3", " 3 "])
def test_a_repeated_message_has_silence_before_each_time(repeat):
    assert heard(message_to_twiml("hello", repeat=repeat)) == ["…", "hello", "…", "hello", "…", "hello"]


def test_a_message_too_long_to_be_written_out_again_is_looped_and_nothing_of_it_is_lost():
    message = "pump three failed " * 120
    assert spoken(message_to_twiml(message, repeat=3)) == message * 3


def test_a_short_message_can_be_repeated_as_often_as_twilio_repeats():
    assert spoken(message_to_twiml("hello", repeat=1000)) == "hello" * 1000


def test_a_message_that_takes_several_says_is_repeated_as_often_as_it_fits(caplog):
    message = "泵三号发生故障。 " * 70
    assert heard(message_to_twiml(message, repeat=9)) == ["…", message] * 5
    assert "Of the 9 times that the message should be said, 5 fit into one call." in caplog.text


def test_a_message_that_is_cut_is_not_repeated_at_the_cost_of_its_words():
    assert heard(message_to_twiml("word " * 2000, repeat=2)) == heard(message_to_twiml("word " * 2000))


# Too long


def test_a_long_message_is_cut_at_a_word_and_says_so(caplog):
    words = spoken(message_to_twiml("pipeline failed & stopped " * 400))
    assert words.endswith(CUT_ENDING)
    assert set(words.removesuffix(CUT_ENDING).split(" ")) == {"pipeline", "failed", "&", "stopped"}
    said = len(words) - len(CUT_ENDING)
    assert caplog.messages == [f"The message has 10399 characters, of which the first {said} are said."]


@pytest.mark.parametrize("options", [{}, {"voice": "man"}, {"voice": "Polly.Amy", "language": "en-GB"}])
@pytest.mark.parametrize("repeat", [1, 5])
def test_a_cut_message_uses_the_room_there_is(options, repeat):
    twiml = message_to_twiml("word " * 2000, repeat=repeat, **options)
    assert TWIML_MAX_CHARACTERS - 10 < len(twiml) <= TWIML_MAX_CHARACTERS


def test_a_message_without_a_blank_is_cut_inside_the_word():
    words = spoken(message_to_twiml("x" * 5000))
    assert words.startswith("x" * 3800)
    assert words.endswith(CUT_ENDING)


def test_a_message_that_just_fits_is_not_cut():
    empty = len(message_to_twiml("x" * 3500)) - 3500
    longest = "&" * 10 + "x" * (TWIML_MAX_CHARACTERS - empty - 50)
    assert len(message_to_twiml(longest)) == TWIML_MAX_CHARACTERS
    assert spoken(message_to_twiml(longest)) == longest
    assert spoken(message_to_twiml(longest + "x")).endswith(CUT_ENDING)


def test_blanks_around_a_long_message_make_room_for_its_words():
    assert spoken(message_to_twiml(" " * 5000 + "hello")) == "hello"


@pytest.mark.parametrize(
    ("voice", "message", "says"),
    [
        ("man", "x" * 3800, 1),
        ("Polly.Amy", "x" * 3000, 1),
        ("Polly.Amy", "x" * 3001, 2),
        (None, "x" * 3001, 2),
        ("man", "é" * 2049, 3),
        ("man", "好" * 500, 1),
        ("man", "好" * 501, 2),
        ("man", "€ % " * 600, 2),
    ],
)
def test_no_say_holds_more_than_its_voice_says_at_once(voice, message, says):
    twiml = message_to_twiml(message, voice=voice)
    assert len([verb for verb in verbs(twiml) if verb.tag == "Say"]) == says
    assert spoken(twiml) == message


def test_a_message_goes_on_in_the_next_say_at_a_word():
    message = "pipeline " * 400
    assert spoken(message_to_twiml(message)) == message
    assert verbs(message_to_twiml(message))[1].text.endswith("pipeline ")


# Recordings


def test_a_recording_is_played_after_a_second_of_silence():
    twiml = audio_to_twiml("https://example.com/alarm.mp3?a=1&b=2")
    check_twiml(twiml)
    assert heard(twiml) == ["…", "https://example.com/alarm.mp3?a=1&b=2"]
    assert verbs(twiml)[1].tag == "Play"


def test_a_recording_is_repeated_with_silence_in_between():
    assert (
        heard(audio_to_twiml("https://example.com/a.mp3", repeat=2)) == ["…", "https://example.com/a.mp3"] * 2
    )


def test_a_recording_of_a_long_address_is_looped():
    url = "https://example.com/" + "a" * 3000
    assert heard(audio_to_twiml(url, repeat=3)) == ["…", url * 3]


@pytest.mark.parametrize(
    ("audio_url", "problem"),
    [
        ("", "audio_url='' is not an absolute http or https URL: write it whole"),
        ("alarm.mp3", "audio_url='alarm.mp3' is not an absolute http or https URL"),
        ("ftp://example.com/alarm.mp3", "is not an absolute http or https URL"),
        ("https:///alarm.mp3", "is not an absolute http or https URL"),
        ("https://example.com/a b.mp3", "is not an absolute http or https URL"),
        ("https://example.com/\x00.mp3", "is not an absolute http or https URL"),
        ("https://example.com/\ud800.mp3", "is not an absolute http or https URL"),
        ("https://[example.com/", "is not a URL"),
        ("https://example.com:port/", "is not a URL"),
        ("https://my_host.example.com/", "has an underscore in its host name, which Twilio refuses"),
        ("https://user:secret@my_host/", "audio_url='https://***@my_host/' has an underscore"),
        ("https://example.com/" + "a" * 4000, "audio_url has 4020 characters, too many for the 4000"),
        (None, "audio_url is NoneType, not text: give the URL as a string"),
        (b"https://example.com/", "audio_url is bytes, not text"),
    ],
)
def test_an_address_that_twilio_could_not_play_is_refused_with_the_fix(audio_url, problem):
    with pytest.raises(ValueError, match=re.escape(problem)) as refused:
        audio_to_twiml(audio_url)
    assert len(str(refused.value)) < 200


@reproducible(examples=300)
@given(any_text)
def test_any_text_is_played_as_it_is_or_refused(text):
    url = f"https://example.com/{text}"
    try:
        twiml = audio_to_twiml(url)
    except ValueError:
        return
    check_twiml(twiml)
    assert heard(twiml) == ["…", url]
