"""A list that has become text is read as JSON or Python writes it, or by its words."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.twilio.list_text import literal_in, words_in


@pytest.mark.parametrize("text", [' ["a", null]', "['a', None]", "('a', None) "])
def test_a_literal_is_read_as_json_or_python_writes_it(text: str) -> None:
    assert list(literal_in(text)) == ["a", None]


@pytest.mark.parametrize("text", ["[1,", "name", "[" * 100_000, "__import__('os')"])
def test_text_that_is_no_literal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read as one: write it as JSON"):
        literal_in(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ringing", ["ringing"]),
        ("ringing, completed ,", ["ringing", "completed"]),
        ("ringing completed", ["ringing", "completed"]),
        ('["ringing", "completed"]', ["ringing", "completed"]),
        ("{'human'}", {"human"}),
        ("'human'", "human"),
        (",", []),
    ],
)
def test_words_are_read_however_a_template_gives_them(text: str, words: Any) -> None:
    assert words_in(text) == words


@pytest.mark.parametrize("text", ["['ringing'", "(ringing, completed)", "{human}"])
def test_text_that_begins_like_a_list_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read as one: write it as JSON"):
        words_in(text)
