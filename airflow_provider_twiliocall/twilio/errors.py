"""What can go wrong with Twilio, by what the caller should do."""

from __future__ import annotations

from airflow_provider_twiliocall.twilio.phone_number import redact_phone_numbers_in

# What to do about each of Twilio's error codes (https://www.twilio.com/docs/api/errors).
ADVICE: dict[int, str] = {
    10001: "The account is not active: log in to the Twilio console and settle what it asks for.",
    10004: "Too many calls of this account are going on at once: wait for some to end, or ask Twilio for more.",
    13227: "Geographic permission is missing: allow the callee's country under Voice > Settings > Geo permissions.",
    20003: "Check login (Account SID or API key SID) and password (auth token or API key secret) of the "
    "connection; credentials belong to one region, so check region and edge too.",
    20005: "The account is suspended or closed: log in to the Twilio console.",
    20008: "Test credentials cannot do this: use the account's live credentials.",
    20009: "The call is not over yet: delete it once it is.",
    20404: "Check the SID, and that the connection points at the account the call was placed from.",
    20429: "Too many requests: wait, then send it again.",
    21201: "Give `to` a number.",
    21205: "Give an absolute http(s) URL that Twilio can reach, with no underscore in its host name.",
    21206: "Use at most 32 of 0-9 A-D # * w W in `send_digits`.",
    21208: "Give `timeout` a whole number of seconds from 1 to 600.",
    21209: "Use GET or POST.",
    21210: "Buy the From number at Twilio, or verify it as a caller ID in the console.",
    21211: "Give `to` in E.164, e.g. +15551234567, and not the same as `from_`.",
    21212: "Give `from_` (or the connection's extra `from`) in E.164, a number of the account's own.",
    21213: "Give `from_`, or set the extra `from` of the connection.",
    21214: "This number cannot be reached from Twilio: check it, or use another one.",
    21215: "Allow the callee's country in the Twilio console under Voice > Settings > Geo permissions.",
    21216: "Twilio does not call this number (its blocklist): use another one.",
    21217: "No such number exists: check its digits and its country code.",
    21218: "Give `application_sid` the SID (AP…) of a TwiML application of this account.",
    21219: "A trial account calls verified numbers only: verify this one in the console, or upgrade the account.",
    21220: "The call is no longer in a state that allows this.",
    21221: "Check `sip_auth_username` and `sip_auth_password`.",
    21222: "Check `sip_auth_username` and `sip_auth_password`.",
    21223: "Check `sip_auth_username` and `sip_auth_password`.",
    21224: "Check `sip_auth_username` and `sip_auth_password`.",
    21225: "Check `sip_auth_username` and `sip_auth_password`.",
    21234: "Use Enable or DetectMessageEnd for `machine_detection`.",
    22005: "Twilio's queue for this account is full: wait, then send it again.",
    32018: "Shorten the TwiML to 4,000 characters, or serve it from a `url`.",
    32205: "Geographic permission is missing: allow the callee's country under Voice > Settings > Geo permissions.",
}

# Codes that say: Twilio did nothing, and waiting helps.
NEVER_PROCESSED_CODES = frozenset({10004, 20429, 22005})

# Codes in a failed call's notifications that no redial can fix: a person has to grant a permission.
GEO_PERMISSION_CODES = frozenset({13227, 21215, 32205})

CALL_IS_OVER = 21220


class TwilioError(Exception):
    """Something went wrong with Twilio. Its classes say what the caller should do about it.

    :param message: what happened, in one sentence; phone numbers in it are cut to their last four digits
    :param http_status: the HTTP status of the answer, if there was one
    :param code: Twilio's error code, if the answer had one
    :param request_id: Twilio's id of the request, for its support
    """

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        code: int | None = None,
        request_id: str | None = None,
    ) -> None:
        self.message = redact_phone_numbers_in(message)
        self.http_status = http_status
        self.code = code
        self.request_id = request_id
        super().__init__(self.message)

    @property
    def advice(self) -> str | None:
        """What to do about it, for the codes this package knows."""
        return ADVICE.get(self.code) if self.code is not None else None

    def __str__(self) -> str:
        facts = [
            f"code {self.code}" if self.code else None,
            f"HTTP {self.http_status}" if self.http_status else None,
            f"request {self.request_id}" if self.request_id else None,
        ]
        text = self.message
        if known := ", ".join(fact for fact in facts if fact):
            text += f" ({known})"
        if self.advice:
            text += f". {self.advice}"
        return text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))


def _rebuild(kind: type[TwilioError], message: str, state: dict[str, object]) -> TwilioError:
    error = kind(message)
    error.__dict__.update(state)
    return error


class TwilioRejectedError(TwilioError):
    """Twilio refused the request. Do not send it again: a person has to change something."""


class TwilioNotFoundError(TwilioError):
    """Twilio does not know it (20404): a wrong SID, or one so new that not every server has it yet."""


class TwilioThrottledError(TwilioError):
    """Twilio did nothing, because there is too much traffic. Wait, then send it again.

    :param retry_after: seconds Twilio asks to wait; None where it named no pause
    """

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        code: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, http_status=http_status, code=code, request_id=request_id)
        self.retry_after = retry_after


class TwilioUnreachableError(TwilioError):
    """Twilio could not be reached, and did nothing. Send it again later."""


class TwilioAmbiguousError(TwilioError):
    """A request that changes something was sent, and it is not known whether it was done. Look before repeating."""
