"""What operators refuse when a DAG is parsed: arguments that could not work whatever the templates render to."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from airflow_provider_twiliocall.durations import read_seconds

# Twilio itself drops what has been queued for a day.
LONGEST_QUEUE_TIMEOUT_S = 86_400.0

# More than anybody should be rung for one thing.
MOST_MAX_DIALS = 50

# What a call may come to that dialling again may mend.
REDIAL_ENDINGS = ("busy", "no-answer", "failed", "voicemail")


def check_only_when_waiting(task: Any, names: Iterable[str]) -> None:
    """Refuse arguments that mean something only for a task that waits, given to one that does not.

    :raises ValueError: names the argument
    """
    for name in names:
        if getattr(task, name) is not None and not task.wait_for_completion:
            raise ValueError(
                f"{name} has a meaning only for a task that waits for the call: add wait_for_completion=True, "
                f"or leave {name} out (it may also come from default_args)"
            )


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Refuse what is none of the words there are.

    :raises ValueError: names them
    """
    if value in choices:
        return
    *others, last = map(repr, choices)
    if len(others) == 1:
        raise ValueError(f"{name}={value!r} is neither {others[0]} nor {last}")
    raise ValueError(f"{name}={value!r} is none of {', '.join(others)} and {last}")


def check_poll_interval(poll_interval: Any) -> None:
    """Refuse what is no time to wait between two looks.

    :raises ValueError: no positive number of seconds
    """
    if isinstance(poll_interval, bool) or not isinstance(poll_interval, (int, float)):
        raise ValueError(f"poll_interval={poll_interval!r} is not a number of seconds")
    if not 0 < poll_interval < math.inf:
        raise ValueError(f"poll_interval={poll_interval!r} has to be more than 0 seconds")


def check_queue_timeout(queue_timeout: float | timedelta | None) -> None:
    """Refuse what is no time that a call may stay in Twilio's queue; None is the default time.

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
    """Refuse what is no length of time.

    :param or_zero: whether none at all will do
    :raises ValueError: neither seconds nor a timedelta, or below zero, or without an end
    """
    seconds = read_seconds(name, value)
    if not 0 <= seconds < math.inf or (seconds == 0 and not or_zero):
        raise ValueError(f"{name}={value!r} has to be {'0 s or more' if or_zero else 'more than 0 seconds'}")


def check_redial_on(redial_on: Any) -> list[str]:
    """Return ``redial_on`` as a sorted list: a DAG must serialize alike at every parse.

    :raises ValueError: no collection of endings
    """
    words = [redial_on] if isinstance(redial_on, str) else redial_on
    if not isinstance(words, Collection) or not words or not set(words) <= set(REDIAL_ENDINGS):
        raise ValueError(
            f"redial_on={redial_on!r} is no set of endings: give some of {', '.join(REDIAL_ENDINGS)}"
        )
    return sorted(words)


def check_max_dials(max_dials: Any) -> None:
    """Refuse what is no number of dials.

    :raises ValueError: below 1, or more than the journal remembers
    """
    is_number = isinstance(max_dials, int) and not isinstance(max_dials, bool)
    if not is_number or not 1 <= max_dials <= MOST_MAX_DIALS:
        raise ValueError(
            f"max_dials={max_dials!r} is no number of dials: give 1 or more, at most {MOST_MAX_DIALS}"
        )
