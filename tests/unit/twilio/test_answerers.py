"""Who may have answered, as authors and templates write it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.twilio.call import AnsweredBy, answerers


def test_nobody_in_particular_may_answer() -> None:
    assert answerers(None) is None


@pytest.mark.parametrize(
    "given",
    [
        {"human", "unknown"},
        ["human", "unknown"],
        ("human", "unknown"),
        "human,unknown",
        "human, unknown ,",
        "['human', 'unknown']",
        "{'human', 'unknown'}",
        '["human", "unknown"]',
    ],
)
def test_answerers_may_come_as_a_collection_or_as_templates_render_one(given: Any) -> None:
    assert answerers(given) == {"human", "unknown"}


@pytest.mark.parametrize("given", ["human", "'human'", AnsweredBy.HUMAN, [AnsweredBy.HUMAN]])
def test_one_answerer_may_come_alone(given: Any) -> None:
    assert answerers(given) == {"human"}


@pytest.mark.parametrize("nobody", [[], set(), "[]", 5, "5", ","])
def test_naming_nobody_is_refused(nobody: Any) -> None:
    with pytest.raises(ValueError, match="names nobody: give e"):
        answerers(nobody)


def test_text_that_begins_like_a_list_and_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"accept_answered_by='\[human\]': .* write it as JSON"):
        answerers("[human]")


def test_a_misspelt_answerer_is_refused_with_the_nearest_word() -> None:
    with pytest.raises(ValueError, match="Twilio never says 'humen': did you mean 'human'"):
        answerers({"humen"})


@pytest.mark.parametrize("odd", [["xyz"], [7], [["human"]]])
def test_a_word_like_none_of_twilios_is_refused_with_all_of_them(odd: Any) -> None:
    with pytest.raises(ValueError, match=r"Twilio never says .*(one of human, fax, unknown|did you mean)"):
        answerers(odd)
