"""Hours for reminders, chosen by the time at which the test runs, by the clock on the callee's wall."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)

# Long enough for the task to be there before.
CHANGES_IN = timedelta(seconds=150)


def open_in_tokyo() -> dict[str, str]:
    """It is within these hours in Tokyo now, and outside them in São Paulo, twelve hours away."""
    now = datetime.now(ZoneInfo("Asia/Tokyo"))
    return {"start": f"{now - HOUR:%H:%M}", "end": f"{now + HOUR:%H:%M}"}


def open_soon_in_tokyo() -> dict[str, str]:
    """It is not within these hours yet."""
    opens = datetime.now(ZoneInfo("Asia/Tokyo")) + CHANGES_IN
    return {"start": f"{opens:%H:%M:%S}", "end": f"{opens + HOUR:%H:%M:%S}"}


def closing_soon_in_tokyo() -> dict[str, str]:
    """It is within these hours for a little longer."""
    closes = datetime.now(ZoneInfo("Asia/Tokyo")) + CHANGES_IN
    return {"start": f"{closes - HOUR:%H:%M:%S}", "end": f"{closes:%H:%M:%S}"}
