"""How requests reach Twilio, and which of them may be sent again.

The rule: a request that changes something is repeated only where no connection was made. Twilio has no idempotency
key, so a second POST is a second ring.
"""

from __future__ import annotations

import logging
import math
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import InvalidHeader
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Timeout

from airflow_provider_twiliocall.twilio.phone_number import redact_phone_numbers_in
from airflow_provider_twiliocall.twilio.time_limit import seconds_left

# A server may ask for a pause of hours. The caller has a deadline.
LONGEST_PAUSE_S = 30.0


class _CappedRetry(Retry):
    """A Retry that honours Retry-After up to a bound, also on urllib3 releases without ``retry_after_max``."""

    def increment(self, *args: Any, **kwargs: Any) -> Any:
        return super(_CappedRetry, self if seconds_left() else self.new(total=0)).increment(*args, **kwargs)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            pause = super().get_retry_after(response)
        except InvalidHeader:
            return None
        return None if pause is None else min(pause, LONGEST_PAUSE_S, seconds_left())


# Whether this thread is sending a request of ours.
_sends_ours: ContextVar[bool] = ContextVar("sends_ours", default=False)


class _RedactedLog(logging.Filter):
    """Cuts the phone numbers in what urllib3 logs about our requests; the lines of all others stay as they are.

    urllib3 logs the URL of a request, and with it the numbers that a list of calls is filtered by.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if _sends_ours.get():
            record.msg, record.args = redact_phone_numbers_in(record.getMessage()), ()
        return True


for _logger in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_logger).addFilter(_RedactedLog())

# Reading twice does no harm: four tries more, 0.5 to 8 seconds apart with jitter.
READ_RETRY = _CappedRetry(
    total=4,
    other=0,
    redirect=0,
    allowed_methods={"GET"},
    status_forcelist={429, 500, 502, 503, 504},
    backoff_factor=0.25,
    backoff_jitter=0.5,
    backoff_max=8,
    raise_on_status=False,
)

# `allowed_methods` would not do here: urllib3 repeats "other" errors, TLS faults in mid-answer among them, for
# any method, and with `status_forcelist` set a 503 with Retry-After is repeated as soon as the method is allowed.
WRITE_RETRY = _CappedRetry(
    total=2,
    connect=2,
    read=False,
    other=0,
    status=0,
    redirect=0,
    respect_retry_after_header=False,
    backoff_factor=0.25,
    backoff_jitter=0.5,
)


# For callers that look again anyway.
SINGLE_TRY = _CappedRetry(total=0, read=False)


# urllib3 knows no time limit of 0.
_SHORTEST_S = 0.001

# Threads that share a client: urllib3 closes connections beyond ten, as delivered, and logs each at WARNING.
_MOST_CONNECTIONS = 64


class RetryByMethod(BaseAdapter):
    """An adapter that repeats GETs by one rule and everything else by another."""

    def __init__(self, reads: Retry = READ_RETRY, writes: Retry = WRITE_RETRY) -> None:
        super().__init__()
        self._reads = HTTPAdapter(max_retries=reads, pool_maxsize=_MOST_CONNECTIONS)
        self._writes = HTTPAdapter(max_retries=writes, pool_maxsize=_MOST_CONNECTIONS)

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **kwargs: Any
    ) -> requests.Response:
        """Send by the rule for the request's method."""
        adapter = self._reads if request.method == "GET" else self._writes
        if (left := seconds_left()) < math.inf:
            connect, read = kwargs["timeout"]
            kwargs["timeout"] = Timeout(connect=connect, read=read, total=max(_SHORTEST_S, left))
        token = _sends_ours.set(True)
        try:
            return adapter.send(request, **kwargs)
        finally:
            _sends_ours.reset(token)

    def close(self) -> None:
        """Close the connections of both."""
        self._reads.close()
        self._writes.close()
