"""What Twilio's clock says, by its answers."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from airflow_provider_twiliocall import clock


class TwilioClock:
    """How far Twilio's clock is from ours."""

    def __init__(self) -> None:
        self._date_seen: tuple[str | None, float] = (None, 0.0)

    def saw(self, date: str | None) -> None:
        """Take the ``Date`` header of an answer that has just come."""
        self._date_seen = date, clock.time()

    @property
    def offset(self) -> float | None:
        """Seconds that Twilio's clock is ahead of ours, by its latest answer, to about one; None before any."""
        date, seen_at = self._date_seen
        try:
            # The header has whole seconds: on average it is half a one behind.
            return parsedate_to_datetime(date or "").timestamp() + 0.5 - seen_at
        except ValueError:
            return None
