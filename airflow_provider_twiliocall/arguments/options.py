"""Keys that a callee may press: what an author writes about them, checked, and the words that are said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_twiliocall.arguments.templated import is_blank, is_literal
from airflow_provider_twiliocall.twilio.list_text import literal_in

KEYS = "0123456789*"
MOST_OPTIONS = 10
MOST_ASK_TIMES = 10

# They decide themselves what is heard, or press keys of their own.
_EXCLUDED = ("url", "twiml", "application_sid", "send_digits")

ACKNOWLEDGE = "1"
PASS_ON = "2"
ACKNOWLEDGE_OPTIONS = {ACKNOWLEDGE: "taken", PASS_ON: "passed on"}
ACKNOWLEDGE_WORDS = {
    "prompt": "To take it, press 1. To pass it on to the next contact, press 2.",
    "thanks": "Thank you. You have taken it. Goodbye.",
    "passed": "It is passed on. Goodbye.",
    "goodbye": "No key was pressed. Goodbye.",
}


def read_options(options: Any) -> dict[str, str]:
    """Return what each key means, by key, in the author's order.

    :raises ValueError: says what to give
    """
    options = _mapping_in(options)
    example = "such as options={'1': 'confirm', '2': 'call me later'}"
    if not isinstance(options, Mapping) or not options:
        raise ValueError(f"options={options!r:.80} does not say what keys mean: give a dict, {example}")
    if len(options) > MOST_OPTIONS:
        raise ValueError(f"options has {len(options)} keys: give at most {MOST_OPTIONS}")
    read = {}
    for key, meaning in options.items():
        name = str(key)
        if len(name) != 1 or name not in KEYS:
            raise ValueError(f"options has the key {key!r:.20}: give one of 0 to 9 and *, {example}")
        if not isinstance(meaning, str) or is_blank(meaning):
            raise ValueError(
                f"options[{name!r}]={meaning!r:.80} says nothing of the key: give words, {example}"
            )
        read[name] = meaning.strip()
    if len(read) < len(options):
        raise ValueError(f"options has a key twice: {', '.join(map(repr, options))}")
    return read


def check_options(task: Any) -> None:
    """Refuse options that cannot be asked for, as far as they are known when a DAG is parsed.

    :raises ValueError: says what to change
    """
    if task.options is None:
        if task.answer_words is not None:
            raise ValueError("answer_words has no effect without options: give options too, or leave it out")
        return
    if not task.wait_for_completion:
        raise ValueError(
            "options has a meaning only for a task that waits for the call: add wait_for_completion=True, or leave "
            "options out"
        )
    if is_literal(task.options):
        read_options(task.options)
    excluded = [name for name in _EXCLUDED if getattr(task, name) is not None]
    if excluded:
        raise ValueError(
            f"options and {' and '.join(excluded)} exclude one another: with options the task "
            "says a message, or plays an audio_url, and takes the key"
        )
    if all(value is None or is_literal(value) for value in (task.language, task.answer_words)):
        read_answer_words(task.answer_words, words_of_options({}), language=task.language)


def check_acknowledge(task: Any) -> None:
    """Refuse an acknowledgement that cannot be asked for, as far as it is known when a DAG is parsed.

    :raises ValueError: says what to change
    """
    if not task.acknowledge:
        if task.answer_words is not None:
            raise ValueError(
                "answer_words has no effect without acknowledge=True: add it, or leave answer_words out"
            )
        return
    excluded = [name for name in _EXCLUDED if getattr(task, name) is not None]
    if excluded:
        raise ValueError(
            f"acknowledge and {' and '.join(excluded)} exclude one another: to take a key, the task says a message, or "
            "plays an audio_url, itself"
        )
    if all(value is None or is_literal(value) for value in (task.language, task.answer_words)):
        read_answer_words(task.answer_words, ACKNOWLEDGE_WORDS, language=task.language)


def check_ask_times(ask_times: Any) -> None:
    """Refuse what is not a number of times to ask.

    :raises ValueError: says what to give
    """
    is_number = isinstance(ask_times, int) and not isinstance(ask_times, bool)
    if not is_number or not 1 <= ask_times <= MOST_ASK_TIMES:
        raise ValueError(f"ask_times={ask_times!r} is not a number of times: give 1 to {MOST_ASK_TIMES}")


def words_of_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return what is said in English beside a message with these options: before the key, after it, and without one."""
    prompt = " ".join(f"For {meaning}, press {_spoken(key)}." for key, meaning in options.items())
    return {"prompt": prompt, "thanks": "Thank you. Goodbye.", "goodbye": "No key was pressed. Goodbye."}


def read_answer_words(
    answer_words: Any, english: Mapping[str, str], *, language: str | None
) -> dict[str, str]:
    """Return what is said beside the message: the author's words, or English ones.

    :param english: what is said where the author gives nothing
    :raises ValueError: they are no words, or needed in another language
    """
    given = {} if answer_words is None else _mapping_in(answer_words)
    if not isinstance(given, Mapping) or not set(given) <= set(english):
        raise ValueError(
            f"answer_words={answer_words!r:.80} is not a dict of words: give some of {', '.join(english)}"
        )
    for name, words in given.items():
        if not isinstance(words, str) or is_blank(words):
            raise ValueError(f"answer_words[{name!r}]={words!r:.80} is not text: give the words to say")
    missing = [name for name in english if name not in given]
    if missing and language is not None and not language.lower().startswith("en"):
        raise ValueError(
            f"the words beside the message are English, and language={language!r}: give answer_words with "
            f"{' and '.join(missing)} in that language"
        )
    return {**english, **given}


def _mapping_in(value: Any) -> Any:
    """Return what a template has left as the text of a dict as that dict, and anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return literal_in(value)
    except ValueError:
        return value


def _spoken(key: str) -> str:
    return "star" if key == "*" else key
