"""The arguments of a call, for an operator that takes them all without spelling them out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

if TYPE_CHECKING:
    pass

Init = TypeVar("Init", bound=Callable[..., None])


class CallArguments(TypedDict, total=False):
    """All that a call may be asked for, but whom to call: for editors and type checkers.

    Each is described with :class:`.CreateCallOperator`.
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


CALL_ARGUMENTS: tuple[str, ...] = tuple(CallArguments.__annotations__)


def takes_call_arguments(init: Init) -> Init:
    """Make an ``__init__`` with ``**arguments`` show every argument of a call in its signature.

    That is where Airflow finds what ``default_args`` may fill in and ``.partial()`` takes, and ``help()`` what to show.
    """
    signature = inspect.signature(init)
    *own, rest = signature.parameters.values()
    shown = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in CALL_ARGUMENTS]
    init.__signature__ = signature.replace(parameters=[*own, *shown, rest])  # type: ignore[attr-defined]
    return init


def check_names(operator: type, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that neither the operator nor Airflow's own base of all operators has.

    :raises TypeError: names the nearest there is
    """
    from difflib import get_close_matches

    known = _names_of(operator)
    for name in arguments:
        # What starts so is between Airflow and itself.
        if name in known or name.startswith("_"):
            continue
        nearest = get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else "leave it out"
        raise TypeError(f"{operator.__name__} has no argument {name}: {hint}")


@cache
def _names_of(operator: type) -> frozenset[str]:
    signatures = [inspect.signature(getattr(base, "__init__")) for base in operator.mro()]  # noqa: B009
    return frozenset(
        name
        for signature in signatures
        for name, parameter in signature.parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY or name == "task_id"
    )
