"""What the simulator answers when it refuses: Twilio's error codes, their HTTP status and their words."""

from __future__ import annotations

from typing import Any

MESSAGES: dict[int, str] = {
    12100: "Twiml is not a document Twilio can parse: {0}",
    20001: "Not understood: {0}",
    20003: "Authenticate",
    20004: "Method not allowed",
    20009: "Call {0} has not ended yet and cannot be deleted",
    20404: "The requested resource {0} was not found",
    20429: "Too Many Requests",
    21201: "No 'To' number is specified",
    21205: "{0} is not a valid URL: {1!r}",
    21206: "SendDigits is invalid: {0!r}",
    21208: "Timeout is invalid: {0!r}",
    21209: "{0} is invalid: {1!r} is neither GET nor POST",
    21210: "Source phone number {0} is not yet verified or owned by this account",
    21211: "Invalid 'To' Phone Number: {0}",
    21212: "Invalid 'From' Phone Number: {0}",
    21213: "No 'From' number is specified",
    21214: "'To' phone number {0} cannot be reached",
    21215: "Account not authorized to call {0}: enable its country in the geographic permissions",
    21216: "Account not allowed to call {0}: the number is blocked",
    21217: "Phone number {0} does not appear to be valid",
    21218: "ApplicationSid is invalid: {0!r}",
    21219: "The number {0} is unverified: trial accounts may only call verified numbers",
    21220: "Call is not in the right state for this: it is {0}",
    21221: "Invalid SipAuthUsername: it must be shorter than 256 characters",
    21222: "Invalid SipAuthUsername: illegal characters",
    21223: "Invalid SipAuthPassword: it must be shorter than 256 characters",
    21224: "Invalid SipAuthPassword: illegal characters",
    21225: "SipAuthPassword is required with SipAuthUsername",
    21234: "MachineDetection is invalid: {0!r}",
    21626: "{0} is invalid: {1!r}",
    32018: "Twiml is too long: {0} characters, at most 4000 are allowed",
}

_STATUS = {20003: 401, 20004: 405, 20404: 404, 20429: 429}

# Twilio understood these requests, and had a reason to say no.
_UNDERSTOOD = {20003, 20009, 20404, 20429, 21210, 21214, 21215, 21216, 21217, 21219, 21220}


class Problem(Exception):
    """A refusal with Twilio's code.

    :param code: Twilio's error code.
    :param details: what the code's message speaks of.
    :param understood: False if no request of that form could ever succeed; such a request counts as refused.
    """

    def __init__(self, code: int, *details: object, understood: bool | None = None) -> None:
        self.code = code
        self.status = _STATUS.get(code, 400)
        self.message = MESSAGES[code].format(*details)
        self.understood = code in _UNDERSTOOD if understood is None else understood
        super().__init__(code, *details)

    def __str__(self) -> str:
        return self.message

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return problem_body(self.status, self.code, self.message)


def problem_body(status: int, code: int | None = None, message: str | None = None) -> dict[str, Any]:
    """The JSON body Twilio sends with an HTTP status that says no."""
    code = code or {401: 20003, 404: 20404, 405: 20004, 429: 20429}.get(status, 20500)
    return {
        "code": code,
        "message": message or MESSAGES.get(code, "Internal Server Error").format("", ""),
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
