"""Keys to press, as authors write them: read, or refused with what to give instead."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.arguments.options import read_answer_words, read_options, words_of_options
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator

TWO = {"1": "confirm", "2": "call me later"}


def task(**arguments: Any) -> CreateCallOperator:
    given = {
        "task_id": "ask",
        "to": "+15005550006",
        "message": "hi",
        "wait_for_completion": True,
        **arguments,
    }
    return CreateCallOperator(**given)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (TWO, TWO),
        (str(TWO), TWO),
        ('{"1": "confirm", "2": "call me later"}', TWO),
        ({1: "confirm", "*": " again "}, {"1": "confirm", "*": "again"}),
        ({str(key): f"option {key}" for key in range(10)}, {str(key): f"option {key}" for key in range(10)}),
    ],
)
def test_options_are_read_in_their_order(given: Any, read: dict[str, str]) -> None:
    assert list(read_options(given).items()) == list(read.items())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "does not say what keys mean"),
        ([], "does not say what keys mean"),
        ("1", "does not say what keys mean"),
        ({"#": "end"}, "has the key '#': give one of 0 to 9 and *"),
        ({"10": "ten"}, "has the key '10'"),
        ({"": "none"}, "has the key ''"),
        ({"١": "one"}, "has the key"),
        ({"1": " "}, "options['1']=' ' says nothing of the key"),
        ({"1": 1}, "options['1']=1 says nothing of the key"),
        ({"1": "a", 1: "b"}, "options has a key twice"),
        ({**{str(key): "x" for key in range(10)}, "*": "x"}, "has 11 keys: give at most 10"),
    ],
)
def test_wrong_options_are_refused_at_parse(given: Any, told: str) -> None:
    with pytest.raises(ValueError) as refused:
        task(options=given)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"options": TWO, "wait_for_completion": False}, "add wait_for_completion=True"),
        (
            {"options": TWO, "message": None, "url": "https://example.com"},
            "options and url exclude one another",
        ),
        ({"options": TWO, "message": None, "twiml": "<Response/>"}, "options and twiml exclude one another"),
        ({"options": TWO, "send_digits": "1"}, "options and send_digits exclude one another"),
        ({"options": TWO, "ask_times": 0}, "ask_times=0 is not a number of times"),
        ({"options": TWO, "ask_times": True}, "ask_times=True is not a number of times"),
        ({"options": TWO, "answer_required": "yes"}, "answer_required='yes' is neither True nor False"),
        ({"options": TWO, "language": "fr-FR"}, "give answer_words with prompt and thanks and goodbye"),
        ({"options": TWO, "answer_words": {"hello": "x"}}, "give some of prompt, thanks, goodbye"),
        ({"options": TWO, "answer_words": {"thanks": " "}}, "answer_words['thanks']=' ' is not text"),
        ({"answer_words": {"thanks": "Merci"}}, "answer_words has no effect without options"),
        ({"redial_on": ["no-key"], "max_dials": 2}, "no key is asked for: give options"),
    ],
)
def test_what_does_not_go_together_is_refused_at_parse(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as refused:
        task(**arguments)
    assert told in str(refused.value)


def test_a_template_for_the_options_is_judged_when_it_is_known() -> None:
    assert task(options="{{ params.keys }}").asks


def test_a_missing_key_is_dialled_again_by_default() -> None:
    assert task(options=TWO).redial_on == ["busy", "no-answer", "no-key"]
    assert task().redial_on == ["busy", "no-answer"]
    assert task(options=TWO, max_dials=2, redial_on=["busy"]).redial_on == ["busy"]


def test_each_key_is_named_after_the_message() -> None:
    words = words_of_options({"1": "confirm", "*": "hear it again"})
    assert words["prompt"] == "For confirm, press 1. For hear it again, press star."


def test_an_author_may_say_it_differently() -> None:
    given = {"prompt": "Tapez 1.", "thanks": "Merci.", "goodbye": "Au revoir."}
    english = words_of_options({"1": "x"})
    assert read_answer_words(given, english, language="fr-FR") == given
    assert read_answer_words({"thanks": "Ta."}, english, language="en-GB") == {**english, "thanks": "Ta."}
