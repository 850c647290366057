"""The call that an alert asks for: with all arguments, or without those that cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.arguments.call_params import params_from_arguments, time_limit_for
from airflow_provider_twiliocall.arguments.redaction import RedactionError, redacted
from airflow_provider_twiliocall.arguments.templated import is_blank
from airflow_provider_twiliocall.exceptions import TwilioConnectionError
from airflow_provider_twiliocall.notifications.templates import reason_of
from airflow_provider_twiliocall.twilio.params import CallParamsError
from airflow_provider_twiliocall.twilio.twiml import message_to_twiml

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.twilio.errors import TwilioError
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

_WHO_CALLS = ("from_", "account_sid")
_SAYS_WHAT = ("message", "audio_url", "url", "twiml", "application_sid")

# By what Twilio refuses a call for whom it goes to …
_ABOUT_TO = frozenset({13227, 21201, 21211, 21214, 21215, 21216, 21217, 21219, 32205})
# … for the number it comes from …
_ABOUT_FROM = frozenset({21210, 21212, 21213})
# … and for the account that places it.
_ABOUT_ACCOUNT = frozenset({10001, 20003, 20005, 20008, 20404})


class WantedCall:
    """A call to one contact. An argument that cannot be used is left out and logged at level ERROR.

    :param to: whom to call
    :param shown: what a log may say of that
    :param given: the other arguments by name, as rendered, with the message that is to be said
    :param default_message: makes the words where nothing else can be heard
    """

    def __init__(
        self, to: Any, shown: str, given: Mapping[str, Any], default_message: Callable[[], str]
    ) -> None:
        self._to = to
        self._shown = shown
        self._given = {name: value for name, value in given.items() if name != "to" and not _is_unset(value)}
        self._default_message = default_message

    def params(self, hook: TwilioCallHook) -> CreateCallParams:
        """Return the parameters of the call, complete with the number to call from.

        :raises CallParamsError: whom to call is wrong
        :raises TwilioConnectionError: there is no number to call from
        """
        while self._given:
            try:
                return self._checked(hook, self._given | self._heard())
            except CallParamsError as error:
                wrong = error.arguments & self._given.keys()
                if not wrong:
                    break
                self._leave_out(wrong, "; ".join(map(str, error.problems_of(wrong))))
            except TwilioConnectionError:
                raise
            except Exception as error:
                side = [name for name in self._given if name not in _WHO_CALLS]
                self._leave_out(side or [*self._given], reason_of(error))
        caller = {name: self._given[name] for name in _WHO_CALLS if name in self._given}
        try:
            return self._checked(hook, caller | self._least())
        except CallParamsError:
            return self._checked(hook, self._least())

    def leave_out_what_was_refused(self, refusal: TwilioError) -> bool:
        """Leave out the arguments that Twilio may have refused the call for; say whether there were any."""
        code, status = refusal.code, refusal.http_status or 0
        if code in _ABOUT_TO or not 400 <= status < 500:
            return False
        suspects = set(CREATE_CALL_FIELDS) - {"from_", "account_sid"}
        if code in _ABOUT_ACCOUNT or status in (401, 403, 404):
            suspects = {"account_sid"}
        elif code in _ABOUT_FROM:
            # A number of one account's is no number of another's.
            suspects = {"from_"} if "from_" in self._given else {"account_sid"}
        refused = suspects & self._given.keys()
        if refused:
            self._leave_out(refused, f"Twilio refused it: {refusal}")
        return bool(refused)

    def _checked(self, hook: TwilioCallHook, given: Mapping[str, Any]) -> CreateCallParams:
        fields = {name: given.get(name) for name in CREATE_CALL_FIELDS} | {"to": self._to}
        said = {name: given.get(name) for name in SPEECH_FIELDS}
        country = hook.settings.default_country
        return hook.with_caller_id(
            params_from_arguments(fields, said, accept_answered_by=None, default_country=country)
        )

    def _heard(self) -> dict[str, Any]:
        """Return the default message where nothing else is heard."""
        if any(name in self._given for name in _SAYS_WHAT):
            return {}
        return {"message": self._default_message()}

    def _least(self) -> dict[str, Any]:
        words = self._default_message()
        try:
            words = redacted(words)
        except RedactionError:
            # Then it was made without what an exception says.
            logger.error("Airflow cannot redact what is said to %s.", self._shown)
        return {"twiml": message_to_twiml(words), "time_limit": time_limit_for(words)}

    def _leave_out(self, names: Collection[str], why: str) -> None:
        # Phone numbers in it are cut already, and the one in an example is not.
        for name in names:
            del self._given[name]
        logger.error(
            "The call to %s is placed without %s, so that the phone rings: %s",
            self._shown,
            ", ".join(sorted(names)),
            why,
        )


def _is_unset(value: Any) -> bool:
    try:
        return bool(is_blank(value))
    except Exception:
        return False
