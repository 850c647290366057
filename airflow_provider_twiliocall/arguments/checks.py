"""One argument of a task at a time, refused when the DAG is parsed; and lengths of time, as authors give them."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from airflow_provider_twiliocall.arguments.templated import is_blank

# Twilio itself drops what has been queued for a day.
LONGEST_QUEUE_TIMEOUT_S = 86_400.0

# More than anybody should be rung for one thing.
MOST_MAX_DIALS = 50

# How a call may end so that dialling again may help.
REDIAL_ENDINGS = ("busy", "no-answer", "failed", "voicemail", "no-key")


def check_conn_id(conn_id: Any) -> None:
    """Refuse what names no connection; a template may.

    :raises ValueError: says what to give
    """
    if is_blank(conn_id):
        raise ValueError(
            f"twilio_conn_id={conn_id!r} does not name a connection: give its id, or leave it out for twilio_default"
        )


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither true nor false: text counts as true in Python, ``"false"`` as well.

    :raises ValueError: names the argument
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name}={value!r} is neither True nor False: give one of the two, without quotes")


def check_only_when_waiting(task: Any, name: str) -> None:
    """Refuse an argument that means something only for a task that waits, given to one that does not.

    :raises ValueError: names the argument
    """
    if getattr(task, name) is not None and not task.wait_for_completion:
        raise ValueError(
            f"{name} has a meaning only for a task that waits for the call: add wait_for_completion=True, "
            f"or leave {name} out (it may also come from default_args)"
        )


def check_poll_interval(poll_interval: Any) -> None:
    """Refuse a wrong time between two looks at a call.

    :param poll_interval: a timedelta has been brought to seconds
    :raises ValueError: no positive number of seconds
    """
    if isinstance(poll_interval, bool) or not isinstance(poll_interval, (int, float)):
        raise ValueError(f"poll_interval={poll_interval!r} is neither a number of seconds nor a timedelta")
    if not 0 < poll_interval < math.inf:
        raise ValueError(f"poll_interval={poll_interval!r} has to be more than 0 seconds")


def check_queue_timeout(queue_timeout: float | timedelta | None) -> None:
    """Refuse a wrong time for a call in Twilio's queue; None is the default time.

    :raises ValueError: no length of time, or longer than Twilio's own
    """
    if queue_timeout is None:
        return
    if not 0 < read_seconds("queue_timeout", queue_timeout) <= LONGEST_QUEUE_TIMEOUT_S:
        raise ValueError(
            f"queue_timeout={queue_timeout!r} has to be more than 0 seconds, and at most "
            f"{LONGEST_QUEUE_TIMEOUT_S:.0f}: Twilio keeps no call in its queue for longer than a day"
        )


def check_duration(name: str, value: float | timedelta, *, or_zero: bool = False) -> None:
    """Refuse what is not a length of time.

    :param or_zero: whether none at all will do
    :raises ValueError: neither seconds nor a timedelta, or below zero, or without an end
    """
    seconds = read_seconds(name, value)
    if not 0 <= seconds < math.inf or (seconds == 0 and not or_zero):
        raise ValueError(f"{name}={value!r} has to be {'0 s or more' if or_zero else 'more than 0 seconds'}")


def read_redial_on(redial_on: Any) -> list[str]:
    """Return ``redial_on`` as a sorted list: a DAG must serialize alike at every parse.

    :raises ValueError: no collection of endings
    """
    words = [redial_on] if isinstance(redial_on, str) else redial_on
    if not isinstance(words, Collection) or not words or not set(words) <= set(REDIAL_ENDINGS):
        raise ValueError(
            f"redial_on={redial_on!r} is not a set of endings: give some of {', '.join(REDIAL_ENDINGS)}"
        )
    return sorted(words)


def check_redial_on(redial_on: Any, accept_answered_by: Any, *, asks: bool = False) -> None:
    """Refuse what is not a set of endings, or has an impossible one.

    :param asks: whether the callee is asked for a key
    :raises ValueError: as :func:`read_redial_on` does, or a voicemail counts as an answer, or nobody presses keys
    """
    endings = read_redial_on(redial_on)
    if "no-key" in endings and not asks:
        raise ValueError("redial_on has no-key, and no key is asked for: give options, or leave no-key out")
    if "voicemail" in endings and accept_answered_by is None:
        raise ValueError(
            "redial_on has voicemail, and anybody's answer counts: say who has to answer, such as "
            "accept_answered_by={'human', 'unknown'}"
        )


def check_rounds(rounds: Any) -> None:
    """Refuse what is not a number of rounds.

    :raises ValueError: below 1, or no whole number
    """
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise ValueError(f"rounds={rounds!r} is not a number of rounds: give 1 or more")


def check_detection_stays_on(send_digits: Any) -> None:
    """Refuse keys to press for a task that has to know who answered.

    :raises ValueError: there are some
    """
    if send_digits is not None:
        raise ValueError(
            "send_digits makes Twilio switch answering machine detection off, and nobody could tell who was "
            "reached: leave it out (it may also come from default_args)"
        )


def check_max_dials(max_dials: Any, *, waits: bool) -> None:
    """Refuse what is not a number of dials, and more than one for a task that does not wait.

    :raises ValueError: below 1, or more than the journal remembers, or nothing would be known of their ends
    """
    is_number = isinstance(max_dials, int) and not isinstance(max_dials, bool)
    if not is_number or not 1 <= max_dials <= MOST_MAX_DIALS:
        raise ValueError(
            f"max_dials={max_dials!r} is not a number of dials: give 1 or more, at most {MOST_MAX_DIALS}"
        )
    if max_dials > 1 and not waits:
        raise ValueError(
            "max_dials has a meaning only for a task that waits for the call: add wait_for_completion=True"
        )


def check_pace(pace: Any) -> None:
    """Refuse what is not a number of calls a second.

    :raises ValueError: not above 0, or no number
    """
    if isinstance(pace, bool) or not isinstance(pace, (int, float)) or not 0 < pace < math.inf:
        raise ValueError(
            f"pace={pace!r} is not a number of calls a second: give 1, or 0.5 for one every two seconds"
        )


def check_max_queued(max_queued: Any) -> None:
    """Refuse what is not a number of calls.

    :raises ValueError: below 1, or no whole number
    """
    if isinstance(max_queued, bool) or not isinstance(max_queued, int) or max_queued < 1:
        raise ValueError(f"max_queued={max_queued!r} is not a number of calls: give 1 or more")


def check_fail_when(fail_when: Any) -> None:
    """Refuse what is no share; None is no limit.

    :raises ValueError: not above 0 and up to 1
    """
    if fail_when is None:
        return
    is_number = isinstance(fail_when, (int, float)) and not isinstance(fail_when, bool)
    if not is_number or not 0 < fail_when <= 1:
        raise ValueError(
            f"fail_when={fail_when!r} is not a share: give a number above 0 and up to 1, such as 0.1 to fail where "
            "a tenth of the people was not reached"
        )


def check_results_path(results_path: Any) -> None:
    """Refuse a path that does not say what the files are; None writes none.

    :raises ValueError: says what to give
    """
    if results_path is None:
        return
    if not isinstance(results_path, str) or not results_path.strip().endswith((".csv", ".jsonl")):
        raise ValueError(
            f"results_path={results_path!r:.200} must be a path or URL that ends with .csv or .jsonl: results.csv "
            "becomes results-00000.csv and so on"
        )


def in_order(value: Any) -> Any:
    """Return a set as a sorted list, and anything else as it is: a DAG must serialize alike at every parse."""
    return sorted(value, key=str) if isinstance(value, (set, frozenset)) else value


def in_seconds(value: Any) -> Any:
    """Return a timedelta in seconds, and anything else as it is."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def read_seconds(name: str, value: float | timedelta) -> float:
    """Return a length of time in seconds.

    :param name: of the argument, for the message
    :raises ValueError: neither a number of seconds nor a timedelta
    """
    try:
        seconds = math.nan if isinstance(value, bool) else float(in_seconds(value))
    except (TypeError, ValueError):
        seconds = math.nan
    if math.isnan(seconds):
        raise ValueError(f"{name}={value!r} is neither a number of seconds nor a timedelta")
    return seconds
