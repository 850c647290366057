"""Words are redacted before they are said, as Airflow redacts its logs: a voicemail keeps what it hears."""

from __future__ import annotations

from airflow_provider_twiliocall.twilio.speech import MASK_SAID

# What Airflow returns where its redaction fails.
_FAILED = "<redaction-failed>"


class RedactionError(ValueError):
    """Airflow could not redact the text, so it must not be said."""


def redacted(text: str) -> str:
    """Return the text with the word "redacted" in place of everything that Airflow masks in its logs.

    That is what was given to ``mask_secret``, passwords and extras of the connections that were used here, and
    Variables with names such as ``api_key``.

    :raises RedactionError: it cannot be redacted
    """
    try:
        from airflow.sdk.log import redact  # type: ignore[attr-defined]

        # With blanks, for a secret may stand inside a word.
        words = redact(text, replacement=f" {MASK_SAID} ")
    except Exception as error:
        raise RedactionError(
            f"Airflow cannot redact it ({type(error).__name__}), so it is not said"
        ) from None
    if not isinstance(words, str) or (words == _FAILED and text != _FAILED):
        raise RedactionError("Airflow cannot redact it, so it is not said")
    return words
