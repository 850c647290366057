"""Which of Twilio's operations a request asks for, by method and path."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple


class Operation(str, Enum):
    """What can be asked of the Calls API and its neighbours."""

    CREATE = "create"
    GET = "get"
    LIST = "list"
    UPDATE = "update"
    DELETE = "delete"
    RECORDINGS = "recordings"
    NOTIFICATIONS = "notifications"
    EVENTS = "events"
    ACCOUNT = "account"
    NUMBERS = "incoming_phone_numbers"
    OTHER = "other"


class Asked(NamedTuple):
    """An operation and the call it is about, if it is about one."""

    operation: Operation
    call_sid: str = ""


_CALL = re.compile(r"/2010-04-01/Accounts/[^/]+/Calls/([^/]+?)(?:/(\w+)(?:/\w+)?)?\.json")
_CALLS = re.compile(r"/2010-04-01/Accounts/[^/]+/Calls\.json")
_NUMBERS = re.compile(r"/2010-04-01/Accounts/[^/]+/IncomingPhoneNumbers\.json")
_ACCOUNT = re.compile(r"/2010-04-01/Accounts/[^/]+\.json")

_ON_A_CALL = {"GET": Operation.GET, "POST": Operation.UPDATE, "DELETE": Operation.DELETE}
_ON_CALLS = {"GET": Operation.LIST, "POST": Operation.CREATE}
_BELOW_A_CALL = {
    "Recordings": Operation.RECORDINGS,
    "Notifications": Operation.NOTIFICATIONS,
    "Events": Operation.EVENTS,
}


def asked_for(method: str, path: str) -> Asked:
    """The operation behind a method and a path; ``other`` for any other request."""
    if _CALLS.fullmatch(path):
        return Asked(_ON_CALLS.get(method, Operation.OTHER))
    if match := _CALL.fullmatch(path):
        below = match[2]
        if below is None:
            return Asked(_ON_A_CALL.get(method, Operation.OTHER), match[1])
        return Asked(
            _BELOW_A_CALL.get(below, Operation.OTHER) if method == "GET" else Operation.OTHER, match[1]
        )
    if method == "GET" and _NUMBERS.fullmatch(path):
        return Asked(Operation.NUMBERS)
    if method == "GET" and _ACCOUNT.fullmatch(path):
        return Asked(Operation.ACCOUNT)
    return Asked(Operation.OTHER)
