"""Who may come in: only what Twilio has signed, for a connection that has a receiver."""

from __future__ import annotations

import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.hooks.webhook_settings import WebhookSettings
from airflow_provider_twiliocall.twilio.signature import is_signed

logger = logging.getLogger(__name__)

# A connection is fetched again after this time; where a signature does not fit, after that one: it may have another
# auth token by then.
_KNOWN_FOR_S = 60.0
_TRUSTED_FOR_S = 1.0
_MOST_KNOWN = 100

# Requests that nobody has signed cost a look at a connection at most; more than these are turned away unread.
REFUSALS_PER_S = 20.0
_MOST_REFUSALS_AT_ONCE = 100.0
LOOKS_PER_S = 2.0
_MOST_LOOKS_AT_ONCE = 20.0


class TokenBucket:
    """How much may still be done: so many things at once, and so many a second."""

    def __init__(self, *, at_once: float, per_second: float) -> None:
        self._most = self._left = at_once
        self._per_second = per_second
        self._filled_at = clock.monotonic()

    def take(self) -> bool:
        """Take one, if there is one."""
        now = clock.monotonic()
        self._left = min(self._most, self._left + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass
class _Known:
    webhook: WebhookSettings | None
    at: float


class Gate:
    """Lets in what is signed. One for each process of the API server.

    :param look_up: returns where a connection's receiver is, and the token that signs; None where it has none
    """

    def __init__(self, look_up: Callable[[str], WebhookSettings | None]) -> None:
        self._look_up = look_up
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._looks = TokenBucket(at_once=_MOST_LOOKS_AT_ONCE, per_second=LOOKS_PER_S)
        self._refusals = TokenBucket(at_once=_MOST_REFUSALS_AT_ONCE, per_second=REFUSALS_PER_S)
        # Requests are verified in several threads.
        self._lock = threading.Lock()

    def may_enter(
        self,
        conn_id: str,
        url_at: Callable[[str], str],
        params: Sequence[tuple[str, str]],
        signature: str,
    ) -> WebhookSettings | None:
        """Return where the receiver of the connection is, if Twilio has signed this request; None if not.

        :param url_at: returns the URL that Twilio has called, for the receiver's public address
        :param params: the form
        """
        if not signature:
            return None
        for anew in (False, True):
            webhook, is_fresh = self._webhook_of(conn_id, anew=anew)
            if webhook is not None:
                url = url_at(webhook.receiver_url)
                if is_signed(webhook.auth_token, url, params, signature):
                    return webhook
            if is_fresh:
                return None
            # The token, or the address, may have changed since.
        return None

    def is_too_much(self) -> bool:
        """Count one request that was refused; say whether there are too many."""
        with self._lock:
            return not self._refusals.take()

    def _webhook_of(self, conn_id: str, *, anew: bool = False) -> tuple[WebhookSettings | None, bool]:
        """Return a connection's receiver, and whether it was fetched for this request, or just before."""
        with self._lock:
            known = self._known.get(conn_id)
            age = clock.monotonic() - known.at if known else math.inf
            if known and age <= (_TRUSTED_FOR_S if anew else _KNOWN_FOR_S):
                return known.webhook, age <= _TRUSTED_FOR_S
            # A connection that has a receiver is always looked at: nobody shall keep a new token from being believed.
            has_receiver = known is not None and known.webhook is not None
            if not has_receiver and not self._looks.take():
                return None, True
            if known:
                # Others need not look at the same time.
                known.at = clock.monotonic()
        webhook = self._look_up(conn_id)
        with self._lock:
            self._known[conn_id] = _Known(webhook, clock.monotonic())
            self._known.move_to_end(conn_id)
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return webhook, True


def look_up_webhook(conn_id: str) -> WebhookSettings | None:
    """Return where a connection's receiver is; None where there is no such connection, or it is not to be used."""
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

    try:
        return TwilioCallHook(conn_id).settings.webhook
    except Exception as error:
        # One line, and not for each request: see the bucket of looks.
        logger.warning("The connection %r cannot be used to verify a callback: %s", conn_id, error)
        return None
