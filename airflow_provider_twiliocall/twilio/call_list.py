"""Twilio's list of calls: how its filters are written, and how its entries are read."""

from __future__ import annotations

import logging
from datetime import date, datetime, timezone
from typing import Any

from pydantic import ValidationError

from airflow_provider_twiliocall.twilio.call import Call, from_rfc_2822, is_call_sid

logger = logging.getLogger(__name__)

LARGEST_PAGE = 1000


def listed_call(body: object) -> Call | None:
    """Read an entry; None for one that cannot be read, which is logged as a warning."""
    try:
        return Call.model_validate(body)
    except ValidationError as error:
        sid = body.get("sid") if isinstance(body, dict) else None
        # Not the values: they include phone numbers.
        fields = sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]})
        logger.warning(
            "A call in Twilio's list is left out, because it could not be read: %s, fields %s",
            sid if is_call_sid(sid) else "no SID",
            ", ".join(fields) or "none",
        )
        return None


def created_at(body: dict[str, Any]) -> float | None:
    """Return when an entry's call was created, as Unix time by Twilio's clock; None where that cannot be read."""
    try:
        return from_rfc_2822(body["date_created"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def moment(value: datetime | date | str | None) -> str | None:
    """Write a time as Twilio's filters take it: ``2026-01-31T00:00:00Z``, or the bare date of a date."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else value
