"""Lengths of time as authors give them: seconds, or a timedelta."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any


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
