"""From a task's rendered arguments to the parameters of its call, complete with the number to call from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS, SPEECH_FIELDS

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.twilio.params import CreateCallParams


def checked_params(
    task: Any, to: Any, hook: TwilioCallHook, *, accept_answered_by: Any, like: CreateCallParams | None = None
) -> CreateCallParams:
    """Return the parameters of a call of a task's, with the number to call from.

    :param like: those of another call of the task's: only whom to call is checked then
    :raises CallParamsError: names all mistakes
    """
    from airflow_provider_twiliocall.arguments.call_params import params_from_arguments
    from airflow_provider_twiliocall.twilio.params import CallParamsError, numbers_in_e164

    # From here on Airflow masks the connection's password, so that a message does not say it either.
    country = hook.settings.default_country
    if like is not None and to is not None:
        fields, refusals = numbers_in_e164({"to": to}, country)
        if refusals:
            raise CallParamsError(refusals)
        return like.replace(**fields)
    arguments = {name: getattr(task, name, None) for name in CREATE_CALL_FIELDS} | {"to": to}
    said = {name: getattr(task, name) for name in SPEECH_FIELDS}
    return hook.with_caller_id(
        params_from_arguments(arguments, said, accept_answered_by=accept_answered_by, default_country=country)
    )
