"""What is heard: one set of rules, for what an author has written and for what has become of it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.arguments.content import SAYS_WHAT, is_true, problems_of_content

URL = "https://example.com/calls"
TWIML = "<Response><Say>hi</Say></Response>"


def told(asked: dict[str, Any], **options: Any) -> list[tuple[tuple[str, ...], str]]:
    return [(problem.arguments, problem.text) for problem in problems_of_content(asked, **options)]


@pytest.mark.parametrize("is_rendered", [False, True])
@pytest.mark.parametrize(
    ("asked", "arguments", "text"),
    [
        ({}, SAYS_WHAT, "has to say what the callee hears"),
        ({"message": 42}, ("message",), "message is int, not text"),
        ({"message": TWIML}, ("message",), "give it as twiml instead"),
        ({"message": "hi", "url": URL}, ("message", "url"), "message and url exclude one another"),
        (
            {"audio_url": URL, "twiml": TWIML, "url": URL},
            ("audio_url", "url", "twiml"),
            "audio_url and url and twiml exclude one another",
        ),
        (
            {"url": URL, "voice": "Polly.Amy"},
            ("voice",),
            "voice has a meaning only for a message: leave it out",
        ),
        ({"url": URL, "repeat": 2}, ("repeat",), "repeat has a meaning only for a message or audio_url"),
    ],
)
def test_a_problem_names_the_arguments_that_it_is_about(
    asked: dict[str, Any], is_rendered: bool, arguments: tuple[str, ...], text: str
) -> None:
    ((named, line),) = told(asked, is_rendered=is_rendered)

    assert named == arguments
    assert text in line


@pytest.mark.parametrize("is_rendered", [False, True])
@pytest.mark.parametrize(
    "asked",
    [
        {"message": "hi", "voice": "Polly.Amy", "repeat": 2},
        {"audio_url": URL, "repeat": 2},
        {"url": URL, "voice": "None"},
        # Which of them Twilio would follow is told with the other fields of a call.
        {"url": URL, "twiml": TWIML},
    ],
)
def test_what_can_be_heard_is_no_problem(asked: dict[str, Any], is_rendered: bool) -> None:
    assert not told(asked, is_rendered=is_rendered)


@pytest.mark.parametrize("asked", [{"message": "", "url": URL}, {"message": "None"}])
def test_an_empty_message_is_an_authors_mistake_but_may_be_what_a_template_gives(
    asked: dict[str, Any],
) -> None:
    assert "message is empty" in told(asked, is_rendered=False)[0][1]
    assert [text for _, text in told(asked, is_rendered=True)] == (
        []
        if "url" in asked
        else ["message is empty: give the words to say, and check whether a template rendered to nothing"]
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"message": "{{ words }}", "url": URL},
        {"message": "{{ words }}", "audio_url": URL, "voice": "Polly.Amy"},
        {"url": "{{ url }}", "voice": "Polly.Amy"},
    ],
)
def test_a_template_may_come_to_nothing(asked: dict[str, Any]) -> None:
    assert not told(asked, is_rendered=False)


def test_braces_in_rendered_text_are_no_template() -> None:
    assert told({"message": "{{ hi }}", "url": URL}, is_rendered=True)


def test_where_there_is_a_default_message_nothing_need_be_given() -> None:
    assert not told({"voice": "Polly.Amy"}, is_rendered=False, has_default_message=True)


@pytest.mark.parametrize(("value", "read"), [(None, False), (True, True), (" FALSE ", False), ("True", True)])
def test_a_switch_is_read_as_templates_render_it(value: Any, read: bool) -> None:
    assert is_true("verbatim", value) is read
