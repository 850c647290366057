"""Words become TwiML that Twilio can read, and TwiML that it could not read is refused."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_provider_twiliocall.twilio.twiml import (
    CUT_ENDING,
    TWIML_MAX_CHARACTERS,
    check_twiml,
    message_to_twiml,
)

reproducible = settings(derandomize=True, max_examples=300, deadline=None)

any_text = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("&<>\"'\r\n\t\x00\x1b\ud800\udfff\ufffe ]"))
)


def spoken(twiml: str) -> str:
    response = ElementTree.fromstring(twiml.encode())
    assert response.tag == "Response"
    assert [verb.tag for verb in response] == ["Say"]
    return response[0].text or ""


def carried_by_xml(character: str) -> bool:
    code = ord(character)
    return character in "\t\n" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def test_words_become_a_say():
    assert message_to_twiml("Hello from etl") == (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Say>Hello from etl</Say></Response>'
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


@reproducible
@given(any_text)
def test_any_text_is_read_back_as_it_was_apart_from_what_xml_cannot_carry(text):
    one_line_end = text.replace("\r\n", "\n").replace("\r", "\n")
    expected = "".join(character if carried_by_xml(character) else " " for character in one_line_end)
    assume(expected.strip())
    twiml = message_to_twiml(text)
    check_twiml(twiml)
    assert spoken(twiml) == expected


@reproducible
@given(any_text.filter(lambda text: text.strip() and any(map(carried_by_xml, text))), st.integers(1, 3000))
def test_any_long_text_fits_twilios_limit_and_still_parses(text, times):
    assume("".join(filter(carried_by_xml, text)).strip())
    twiml = message_to_twiml(text * times)
    check_twiml(twiml)
    assert len(twiml) <= TWIML_MAX_CHARACTERS
    assert spoken(twiml)


def test_a_long_message_is_cut_at_a_word_and_says_so():
    words = spoken(message_to_twiml("pipeline failed & stopped " * 400))
    assert words.endswith(CUT_ENDING)
    assert set(words.removesuffix(CUT_ENDING).split(" ")) == {"pipeline", "failed", "&", "stopped"}


def test_a_cut_message_uses_the_room_there_is():
    assert len(message_to_twiml("word " * 2000)) > TWIML_MAX_CHARACTERS - 10


def test_a_message_without_a_blank_is_cut_inside_the_word():
    words = spoken(message_to_twiml("x" * 5000))
    assert words.startswith("x" * 3800)
    assert words.endswith(CUT_ENDING)


def test_a_message_that_just_fits_is_not_cut():
    empty = len(message_to_twiml("x")) - 1
    longest = "&" * 10 + "x" * (TWIML_MAX_CHARACTERS - empty - 50)
    assert len(message_to_twiml(longest)) == TWIML_MAX_CHARACTERS
    assert spoken(message_to_twiml(longest)) == longest
    assert spoken(message_to_twiml(longest + "x")).endswith(CUT_ENDING)


def test_blanks_around_a_long_message_make_room_for_its_words():
    assert spoken(message_to_twiml(" " * 5000 + "hello")) == "hello"


@pytest.mark.parametrize(
    "twiml",
    [
        "<Response/>",
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Say voice="man">hi</Say><Hangup/></Response>',
        '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>é</Say></Response>',
        '<?xml version="1.0" encoding="UTF-16"?><Response><Say>é</Say></Response>',
        "<Response><Say>" + "x" * 3968 + "</Say></Response>",
    ],
)
def test_twiml_that_twilio_can_read_passes(twiml):
    check_twiml(twiml)


@pytest.mark.parametrize(
    ("twiml", "message"),
    [
        ("<Response>", "is not well-formed XML (no element found at line 1, column 11): close every element"),
        ("<Response><Say>a & b</Say></Response>", "write & as &amp;"),
        ("<Response><Say>a</say></Response>", "mismatched tag"),
        ("<Response/><Response/>", "junk after document element"),
        ("<response/>", "has the root element <response>: the root must be <Response>, written exactly so"),
        ("<Say>hi</Say>", "has the root element <Say>"),
        ("hello", "is text, not XML: for words to be said use message"),
        ("<Response><Say>\x00</Say></Response>", "is not well-formed XML"),
        ("<Response><Say>" + "x" * 3969 + "</Say></Response>", "has 4001 characters after XML escaping"),
        ('<!DOCTYPE Response SYSTEM "https://example.com/x.dtd"><Response/>', "has a DOCTYPE"),
    ],
)
def test_twiml_that_twilio_could_not_read_is_refused_with_the_fix(twiml, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_twiml(twiml)


def test_entities_are_never_expanded():
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE l [<!ENTITY l0 "ha">{laughs}]><Response>&l9;</Response>'
    with pytest.raises(ValueError, match="entities are not expanded here"):
        check_twiml(bomb)


@reproducible
@given(any_text)
def test_checking_any_text_passes_or_raises_a_value_error(text):
    try:
        check_twiml(f"<Response><Say>{text}</Say></Response>")
    except ValueError:
        return
    assert ElementTree.fromstring(f"<Response><Say>{text}</Say></Response>") is not None
