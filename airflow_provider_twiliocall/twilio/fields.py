"""The names of everything a call can be asked for, readable without loading the model that checks them."""

from __future__ import annotations

CREATE_CALL_FIELDS: tuple[str, ...] = (
    "account_sid",
    "to",
    "from_",
    "url",
    "twiml",
    "application_sid",
    "method",
    "fallback_method",
    "status_callback_method",
    "recording_status_callback_method",
    "async_amd_status_callback_method",
    "fallback_url",
    "status_callback",
    "recording_status_callback",
    "async_amd_status_callback",
    "client_notification_url",
    "status_callback_event",
    "recording_status_callback_event",
    "send_digits",
    "timeout",
    "time_limit",
    "record",
    "recording_channels",
    "recording_track",
    "trim",
    "sip_auth_username",
    "sip_auth_password",
    "machine_detection",
    "machine_detection_timeout",
    "machine_detection_speech_threshold",
    "machine_detection_speech_end_threshold",
    "machine_detection_silence_timeout",
    "async_amd",
    "caller_id",
    "byoc",
    "call_reason",
    "call_token",
    "recording_configuration_id",
    "passports",
)
"""The fields of ``CreateCallParams``, in order. Operators read this at DAG parse, so it imports nothing."""

SPEECH_FIELDS: tuple[str, ...] = ("message", "audio_url", "voice", "language", "repeat", "verbatim")
"""What is turned into the ``twiml`` of a call: words and how to say them, or a recording."""
