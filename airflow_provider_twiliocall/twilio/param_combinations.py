"""What the arguments of a call demand of each other, and which of them Twilio would silently ignore."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from airflow_provider_twiliocall.twilio.number_reading import normalize_phone_number
from airflow_provider_twiliocall.twilio.param_problems import Problem, show
from airflow_provider_twiliocall.twilio.phone_number import (
    is_phone_number,
    redact_phone_number,
    without_separators,
)
from airflow_provider_twiliocall.twilio.twiml_check import unknown_verbs

INSTRUCTIONS = ("url", "twiml", "application_sid")
_IGNORED_WITH_APPLICATION = (
    "method",
    "fallback_url",
    "fallback_method",
    "status_callback",
    "status_callback_method",
    "status_callback_event",
)
_HAS_EFFECT_ONLY_WITH = {
    "method": "url",
    "fallback_method": "fallback_url",
    "status_callback_method": "status_callback",
    "status_callback_event": "status_callback",
    "recording_status_callback": "record",
    "recording_status_callback_method": "recording_status_callback",
    "recording_status_callback_event": "recording_status_callback",
    "recording_channels": "record",
    "recording_track": "record",
    "trim": "record",
    "machine_detection_timeout": "machine_detection",
    "machine_detection_speech_threshold": "machine_detection",
    "machine_detection_speech_end_threshold": "machine_detection",
    "machine_detection_silence_timeout": "machine_detection",
    "async_amd": "machine_detection",
    "async_amd_status_callback": "async_amd",
    "async_amd_status_callback_method": "async_amd_status_callback",
    "sip_auth_password": "sip_auth_username",
}


def problems_of_combinations(given: Mapping[str, Any], callee: str = "to") -> list[Problem]:
    """Check what arguments demand of each other, on values not yet checked: all mistakes are told at once."""
    return [
        *_problems_of_instructions([name for name in INSTRUCTIONS if name in given]),
        *_problems_of_addresses(str(given.get("to", "")), str(given.get("from_", "")), callee),
        *_problems_of_pairs(given),
    ]


def warnings_about(given: Collection[str], detection_timeout: int | None, twiml: str | None) -> list[str]:
    """Say what Twilio would accept and then ignore or change.

    :param given: names of the arguments that are given, and not switched off
    """
    effective = set(given)
    warnings = []
    ignored = [field for field in _IGNORED_WITH_APPLICATION if field in given]
    if "application_sid" in given and ignored:
        warnings.append(f"Twilio ignores {', '.join(ignored)} when application_sid is given: set them there")
        effective.difference_update(ignored)
    if {"send_digits", "machine_detection"} <= effective:
        warnings.append("Twilio ignores machine_detection when send_digits is given: leave one of them out")
    warnings += [
        f"Twilio ignores {field} without {needed}: give {needed} too, or leave {field} out"
        for field, needed in _HAS_EFFECT_ONLY_WITH.items()
        if field in effective and needed not in effective
    ]
    if detection_timeout is not None and not 3 <= detection_timeout <= 59:
        warnings.append(
            f"machine_detection_timeout={detection_timeout} is outside 3 to 59 seconds: "
            "Twilio may refuse or change it"
        )
    return warnings if twiml is None else warnings + unknown_verbs(twiml)


def _problems_of_instructions(given: list[str]) -> list[Problem]:
    if len(given) == 1:
        return []
    text = (
        f"{' and '.join(given)} are given, and Twilio follows one and ignores the rest: "
        "give exactly one of url, twiml and application_sid"
        if given
        else "none of url, twiml and application_sid is given, or a template rendered to nothing, and nothing "
        "would be said: give one of them (an operator's message becomes twiml)"
    )
    return [Problem(tuple(given or INSTRUCTIONS), text)]


def _problems_of_addresses(to: str, from_: str, callee: str) -> list[Problem]:
    problems = []
    if is_phone_number(to) and from_ and not is_phone_number(from_):
        text = (
            f"from_={redact_phone_number(from_)!r} cannot call a phone number: "
            "give a phone number of yours, e.g. +15551234567 (Twilio error 21212)"
        )
        problems.append(Problem(("from_",), text))
    if to and from_ and _dialled(to) == _dialled(from_):
        text = (
            f"{callee} and from_ are both {redact_phone_number(_dialled(to))!r}: "
            "call from another number than the one called (Twilio error 21211)"
        )
        problems.append(Problem(("to", "from_"), text))
    return problems


def _problems_of_pairs(given: Mapping[str, Any]) -> list[Problem]:
    problems = []
    if "byoc" in given and str(given.get("to", "")).startswith(("client:", "sip:")):
        byoc = show(given["byoc"])
        text = f"byoc={byoc} carries calls to phone numbers only, and to is none: leave byoc out"
        problems.append(Problem(("byoc",), text))
    if "sip_auth_username" in given and "sip_auth_password" not in given:
        text = "sip_auth_username is given without sip_auth_password: give both (Twilio error 21221 to 21225)"
        problems.append(Problem(("sip_auth_username",), text))
    return problems


def _dialled(address: str) -> str:
    try:
        return normalize_phone_number(address)
    except ValueError:
        return without_separators(address)
