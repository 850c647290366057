"""THE list of a call's arguments. Operators and notifier take signature, description and template fields from it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, TypedDict


class CallArguments(TypedDict, total=False):
    """All arguments of a call, except whom to call.

    :param from_: the number to call from, not the one that is called; default: the extra ``from`` of the connection
    :param message: words to say. They are rewritten for ears: ``load_orders`` is said as two words, a link by its
        host, a traceback by its last line, a timestamp as a date and a time, and what Airflow masks in its logs as
        "redacted". What does not fit into 4,000 characters is cut, and the message says so
    :param audio_url: a recording to play instead of a message: the absolute http(s) URL of an MP3 or WAV
    :param voice: the voice of the message, such as ``Polly.Amy``; default: the account's own
    :param language: the language of the message, such as ``fr-FR``
    :param repeat: how often the message is said or the recording played, 1 to 1000, with a second of silence before
        each; default 1
    :param verbatim: whether the message is said exactly as it is written
    :param account_sid: the account that calls, ``AC…``, for example a subaccount; default: the connection's
    :param url: where Twilio fetches the TwiML, an absolute http(s) URL
    :param twiml: the TwiML itself: well-formed XML with the root ``Response``, at most 4,000 characters
    :param application_sid: a TwiML application, ``AP…``. Twilio then ignores ``method``, ``fallback_…`` and
        ``status_callback…``
    :param method: GET or POST, for ``url``
    :param fallback_url: where Twilio fetches the TwiML if ``url`` fails
    :param fallback_method: GET or POST
    :param status_callback: where Twilio reports the call's progress: an absolute URL without an underscore in its host
    :param status_callback_event: which progress Twilio reports: a list of ``initiated``, ``ringing``, ``answered`` and
        ``completed``
    :param status_callback_method: GET or POST
    :param send_digits: keys to press once connected: at most 32 of ``0-9 A-D # * w W`` (``w`` waits half a second,
        ``W`` one). Twilio then does not detect answering machines
    :param timeout: seconds, or a timedelta, for which the phone rings, 1 to 600; Twilio's default is 60
    :param time_limit: seconds, or a timedelta, that the call may last. Default with a ``message``: twice the time to
        say it and about two minutes; otherwise Twilio's 14400. Give 14400 for no limit
    :param record: whether to record the call
    :param recording_channels: mono or dual
    :param recording_track: inbound, outbound or both
    :param recording_status_callback: where Twilio reports the recording
    :param recording_status_callback_event: a list of ``in-progress``, ``completed`` and ``absent``
    :param recording_status_callback_method: GET or POST
    :param recording_configuration_id: a recording configuration kept at Twilio
    :param trim: trim-silence or do-not-trim
    :param sip_auth_username: for SIP callees, with ``sip_auth_password``; under 256 characters
    :param sip_auth_password: for SIP callees, with ``sip_auth_username``; under 256 characters; masked
    :param machine_detection: Enable (who answered) or DetectMessageEnd (and wait for the beep)
    :param machine_detection_timeout: seconds, or a timedelta; Twilio's default is 30
    :param machine_detection_speech_threshold: milliseconds, 1000 to 6000
    :param machine_detection_speech_end_threshold: milliseconds, 500 to 5000
    :param machine_detection_silence_timeout: milliseconds, 2000 to 10000
    :param async_amd: whether the TwiML starts while Twilio still detects who answered
    :param async_amd_status_callback: where Twilio reports who answered
    :param async_amd_status_callback_method: GET or POST
    :param caller_id: the number, SIP address or client that made this call; not the same as ``from_``
    :param byoc: a trunk of your own, ``BY…``, for phone numbers only
    :param call_reason: for branded calls
    :param call_token: the token of an incoming call to forward; masked
    :param client_notification_url: passed to Twilio unchanged
    :param passports: passed to Twilio unchanged: at most five, with commas between them
    """

    from_: str | None
    message: str | None
    audio_url: str | None
    voice: str | None
    language: str | None
    repeat: int | str | None
    verbatim: bool | str | None
    account_sid: str | None
    url: str | None
    twiml: str | None
    application_sid: str | None
    method: str | None
    fallback_url: str | None
    fallback_method: str | None
    status_callback: str | None
    status_callback_event: Sequence[str] | str | None
    status_callback_method: str | None
    send_digits: str | None
    timeout: float | timedelta | str | None
    time_limit: float | timedelta | str | None
    record: bool | str | None
    recording_channels: str | None
    recording_track: str | None
    recording_status_callback: str | None
    recording_status_callback_event: Sequence[str] | str | None
    recording_status_callback_method: str | None
    recording_configuration_id: str | None
    trim: str | None
    sip_auth_username: str | None
    sip_auth_password: str | None
    machine_detection: str | None
    machine_detection_timeout: float | timedelta | str | None
    machine_detection_speech_threshold: int | str | None
    machine_detection_speech_end_threshold: int | str | None
    machine_detection_silence_timeout: int | str | None
    async_amd: bool | str | None
    async_amd_status_callback: str | None
    async_amd_status_callback_method: str | None
    caller_id: str | None
    byoc: str | None
    call_reason: str | None
    call_token: str | None
    client_notification_url: str | None
    passports: str | None


class CallAttributes:
    """The same as attributes, for type checkers: they cannot make them of the list. A test compares the two.

    A class with this base, whose ``__init__`` has ``**arguments``, shows every argument of a call in its signature and
    describes it below its own ``:param:`` lines. The signature is where Airflow finds what ``default_args`` may fill in
    and ``.partial()`` takes, and ``help()`` what to show.
    """

    from_: str | None
    message: str | None
    audio_url: str | None
    voice: str | None
    language: str | None
    repeat: int | str | None
    verbatim: bool | str | None
    account_sid: str | None
    url: str | None
    twiml: str | None
    application_sid: str | None
    method: str | None
    fallback_url: str | None
    fallback_method: str | None
    status_callback: str | None
    status_callback_event: Sequence[str] | str | None
    status_callback_method: str | None
    send_digits: str | None
    timeout: float | timedelta | str | None
    time_limit: float | timedelta | str | None
    record: bool | str | None
    recording_channels: str | None
    recording_track: str | None
    recording_status_callback: str | None
    recording_status_callback_event: Sequence[str] | str | None
    recording_status_callback_method: str | None
    recording_configuration_id: str | None
    trim: str | None
    sip_auth_username: str | None
    sip_auth_password: str | None
    machine_detection: str | None
    machine_detection_timeout: float | timedelta | str | None
    machine_detection_speech_threshold: int | str | None
    machine_detection_speech_end_threshold: int | str | None
    machine_detection_silence_timeout: int | str | None
    async_amd: bool | str | None
    async_amd_status_callback: str | None
    async_amd_status_callback_method: str | None
    caller_id: str | None
    byoc: str | None
    call_reason: str | None
    call_token: str | None
    client_notification_url: str | None
    passports: str | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if CallAttributes in cls.__bases__:
            _show_call_arguments(vars(cls)["__init__"])
            _describe_call_arguments(cls)


CALL_ARGUMENTS: tuple[str, ...] = tuple(CallArguments.__annotations__)

SPEECH_FIELDS: tuple[str, ...] = ("message", "audio_url", "voice", "language", "repeat", "verbatim")
"""What becomes the ``twiml`` of a call: words and how to say them, or a recording."""

CREATE_CALL_FIELDS: tuple[str, ...] = ("to", *(name for name in CALL_ARGUMENTS if name not in SPEECH_FIELDS))
"""What Twilio is asked for: the fields of :class:`.CreateCallParams`, which is not loaded for it."""


def take_call_arguments(
    asked: Any, arguments: dict[str, Any], *, instead: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Make attributes of a call's arguments, None where one is not given, and leave those of Airflow's own base.

    :param instead: what to do instead of giving an argument that another one of ours has, by name
    :raises TypeError: an argument is neither; says what to do instead, or names the nearest there is
    """
    for refusal in unknown_names(type(asked), arguments, instead=instead).values():
        raise TypeError(refusal)
    for name in CALL_ARGUMENTS:
        setattr(asked, name, arguments.pop(name, None))


def unknown_names(
    operator: type, arguments: Mapping[str, Any], *, instead: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return the arguments that :func:`take_call_arguments` refuses, each with what it says of it."""
    unknown = {}
    known = _names_of(operator)
    for name in arguments:
        # What starts so is between Airflow and itself.
        if name in known or name.startswith("_"):
            continue
        # Only a mistake pays for this one.
        from difflib import get_close_matches

        nearest = get_close_matches(name, known, n=1)
        hint = instead.get(name) or (f"did you mean {nearest[0]}?" if nearest else "leave it out")
        unknown[name] = f"{operator.__name__} has no argument {name}: {hint}"
    return unknown


@cache
def _names_of(operator: type) -> frozenset[str]:
    signatures = [inspect.signature(getattr(base, "__init__")) for base in operator.mro()]  # noqa: B009
    return frozenset(
        name
        for signature in signatures
        for name, parameter in signature.parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY or name in ("task_id", "context")
    )


def _show_call_arguments(init: Any) -> None:
    signature = inspect.signature(init)
    *own, rest = signature.parameters.values()
    shown = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation.__forward_arg__
        )
        for name, annotation in CallArguments.__annotations__.items()
    ]
    init.__signature__ = signature.replace(parameters=[*own, *shown, rest])


def _describe_call_arguments(cls: type) -> None:
    # There is none where Python runs with -OO.
    if cls.__doc__ and CallArguments.__doc__:
        _, start, lines = inspect.cleandoc(CallArguments.__doc__).partition(":param from_")
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__)}\n{start}{lines}"
