"""TwilioCallNotifier: a phone call as the callback of a task, a DAG or a deadline."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Collection, Generator, Sequence
from contextlib import suppress
from copy import copy
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from airflow.providers.common.compat.sdk import AirflowException, BaseNotifier

from airflow_provider_twiliocall.arguments.call_arguments import (
    CALL_ARGUMENTS,
    CallArguments,
    CallAttributes,
    take_call_arguments,
    unknown_names,
)
from airflow_provider_twiliocall.arguments.literals import (
    check_delivery,
    literal_problems,
    problems_of,
    refuse,
)
from airflow_provider_twiliocall.arguments.templated import callees_of

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.notifications.alert_run import AlertRun
    from airflow_provider_twiliocall.notifications.templates import Rendered
    from airflow_provider_twiliocall.twilio.param_problems import Problem

DEFAULT_COOLDOWN = timedelta(minutes=15)


class TwilioCallNotificationError(AirflowException):
    """Not everybody who should be called is known to be called.

    :param failures: what went wrong, one line for each contact, phone numbers cut to their last four digits
    """

    def __init__(self, failures: Sequence[str]) -> None:
        listed = "\n".join(f"- {failure}" for failure in failures)
        super().__init__(f"Not everybody could be called:\n{listed}")
        self.failures = list(failures)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.failures,), self.__dict__.copy()


# What operators have, and a notifier has not.
_INSTEAD = {
    "wait_for_completion": "an alert does not wait for the end of the call, so leave it out",
    "contacts": "whom to call goes into to, a number or a list",
    "call_window": "an alert rings at any hour, so leave it out",
}


class AlertArguments(CallArguments, total=False):
    """What can be given besides whom to call: for editors and type checkers."""

    cooldown: timedelta | float | None
    twilio_conn_id: str
    delivery: Delivery


class TwilioCallNotifier(BaseNotifier, CallAttributes):
    """Call people when a task or a DAG fails, is tried again or succeeds, or misses a deadline.

    It places the calls, and does not wait for anybody to answer. Ten seconds after it has the connection, whatever
    Twilio does, it has placed them, found that an earlier call covers the alert, or raises an error that says who may
    not know and why.

    All arguments of Twilio's create-call request can be given, and are templated. One of ``message``, ``audio_url``,
    ``url``, ``twiml`` and ``application_sid`` may say what the callee hears. The default message has the DAG and the
    task, their state, the time and the first line of the exception.

    The connection is fetched where the callback runs: on a worker for those of a task, in the DAG processor
    for those of a DAG, in the triggerer for an ``AsyncCallback``, on the executor for a ``SyncCallback``.

    :param to: whom to call: E.164 (``+15551234567``), ``client:name`` or ``sip:user@host``; or a list of them.
        All are called at once; if one call fails, the others still ring
    :param cooldown: how long later alerts to the same number do not ring: a timedelta, or seconds; default 15 minutes.
        None: every alert rings. See :mod:`airflow_provider_twiliocall.notifications.cooldown`
    :param twilio_conn_id: the connection, of type ``twilio``; default ``twilio_default``
    :param delivery: what to do when Twilio's answer is lost and the call cannot be found: ``"at_least_once"`` (default)
        dials again, once, ``"at_most_once"`` raises an error
    """

    template_fields: Sequence[str] = ("to", *CALL_ARGUMENTS, "twilio_conn_id")

    to: Any

    # For editors: what can be given, and that more may be: Airflow makes a deadline's notifier with a context.
    @overload
    def __init__(self, *, to: str | Collection[str], **arguments: Unpack[AlertArguments]) -> None: ...

    @overload
    def __init__(self, *, to: str | Collection[str], **arguments: Any) -> None: ...

    def __init__(
        self,
        *,
        to: str | Collection[str],
        cooldown: timedelta | float | None = DEFAULT_COOLDOWN,
        twilio_conn_id: str = "twilio_default",
        delivery: Delivery = "at_least_once",
        **arguments: Any,
    ) -> None:
        # Airflow makes the notifier of a deadline when the phone has to ring. That is too late to refuse anything.
        is_ringing_time = arguments.get("context") is not None
        unknown = unknown_names(type(self), arguments, instead=_INSTEAD) if is_ringing_time else {}
        for name in unknown:
            del arguments[name]
        take_call_arguments(self, arguments, instead=_INSTEAD)
        super().__init__(**arguments)
        self.to = to
        self.twilio_conn_id = twilio_conn_id
        wrong_cooldown = problems_of(lambda: _duration(cooldown))
        wrong_delivery = problems_of(lambda: check_delivery(delivery))
        self.cooldown = DEFAULT_COOLDOWN if wrong_cooldown else _duration(cooldown)
        self.delivery = "at_least_once" if wrong_delivery else delivery
        problems = [*unknown.values(), *wrong_cooldown, *wrong_delivery, *self._literal_problems()]
        if problems and is_ringing_time:
            self.say(logging.ERROR, "Fix these arguments of the alert: %s", "; ".join(map(str, problems)))
        else:
            refuse(problems)

    def _literal_problems(self) -> list[Problem | str]:
        try:
            callees = callees_of(self.to)
        except ValueError as error:
            return [str(error), *literal_problems(self, [], has_default_message=True)]
        return [*literal_problems(self, callees, has_default_message=True)]

    # As Airflow calls it ----------------------------------------------------------------------------------

    _rendered: Rendered | None = None

    def __call__(self, *args: Any) -> None:
        """Call everybody; Airflow calls this with the context."""
        # On a copy, for rendering replaces the templates, and the same notifier may be called again.
        alert: TwilioCallNotifier = copy(self)
        context: Context = args[0] if args else {}
        alert.render_template_fields(context)
        alert.notify(context)

    def __await__(self) -> Generator[Any, None, None]:
        """Call everybody; Airflow awaits this in the triggerer."""
        alert = copy(self)
        # Here, and not in a thread: what Airflow's Variables are asked with belongs to the event loop.
        alert.render_template_fields(self.context)
        return alert.async_notify(self.context).__await__()

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Render each field to text by itself: the call is also placed without those that cannot be rendered."""
        from airflow_provider_twiliocall.notifications.templates import rendered

        self._rendered = rendered(self, context, jinja_env)
        vars(self).update(self._rendered.fields)
        for name, why in self._rendered.problems.items():
            if name == "twilio_conn_id":
                # Without that there is no call, and AlertRun says why.
                continue
            self.say(
                logging.ERROR, "%s could not be rendered, so the call is placed without it: %s", name, why
            )

    def _render(self, template: Any, context: Any, dag: Any = None) -> Any:
        # Airflow would read the text as Python where the DAG says so: '+15551234567' would lose its plus.
        from airflow.sdk.definitions.context import render_template_to_string

        return render_template_to_string(template, context)

    def notify(self, context: Context) -> None:
        """Call everybody.

        :raises TwilioCallNotificationError: names those who may not know, and why
        :raises TwilioConnectionError: the connection cannot be used, and nobody was called
        :raises TwilioConnectionNotFoundError: it was not found for some seconds, and nobody was called
        """
        self._raise(self._run(context).ring())

    async def async_notify(self, context: Context) -> None:
        """Call everybody, as :meth:`notify` does, without holding up the event loop."""
        from airflow_provider_twiliocall.notifications.this_process import this_process

        # In a thread, for what is imported takes a third of a second, and other triggers have their polls to do.
        prepared = this_process().threads.submit(partial(self._run, context))
        run = await asyncio.wrap_future(prepared)
        self._raise(await run.ring_on_event_loop())

    def _run(self, context: Context) -> AlertRun:
        from airflow_provider_twiliocall.notifications.alert_run import AlertRun

        return AlertRun(self, context, self._rendered)

    def _raise(self, failures: list[str]) -> None:
        if failures:
            raise TwilioCallNotificationError(failures)

    def say(self, level: int, message: str, *args: Any) -> None:
        """Log a message; an error of the log does not stop the call."""
        with suppress(Exception):
            self.log.log(level, message, *args)


send_twilio_call_notification = TwilioCallNotifier


def _duration(cooldown: timedelta | float | str | None) -> timedelta | None:
    given = cooldown
    if cooldown is None:
        return None
    if isinstance(cooldown, str):
        cooldown = _from_json(cooldown)
    elif isinstance(cooldown, (int, float)) and not isinstance(cooldown, bool) and math.isfinite(cooldown):
        # What is longer than a timedelta can be is not one.
        with suppress(OverflowError):
            cooldown = timedelta(seconds=cooldown)
    if not isinstance(cooldown, timedelta):
        raise ValueError(f"cooldown={given!r} is neither a timedelta nor a number of seconds")
    if cooldown <= timedelta(0):
        raise ValueError(f"cooldown={given!r} has to be more than 0; None switches it off")
    return cooldown


def _from_json(duration: str) -> timedelta | None:
    """Read a timedelta as an executor sends it that sends its work as JSON: ``PT15M``."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(timedelta).validate_python(duration)
    except ValidationError:
        return None
