"""What a request means that failed: provably not carried out, perhaps carried out, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from traceback import walk_tb
from typing import Any
from urllib.parse import urlsplit

import pendulum
import requests
from pydantic_core import from_json
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, ProxyError
from urllib3.exceptions import InvalidHeader as UnreadableHeader

from airflow_provider_twiliocall.twilio.errors import (
    NEVER_PROCESSED_CODES,
    TwilioAmbiguousError,
    TwilioError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)


def error_from_fault(fault: OSError, *, changes_something: bool, url: str) -> TwilioError:
    """Return the error for a request without an answer: never sent (unreachable), or perhaps done (ambiguous)."""
    host = urlsplit(url).netloc
    innermost = _innermost(fault)
    text = str(innermost)
    # Without the pool and the URL before it, which may hold phone numbers.
    cause = f"{type(innermost).__name__} ({text.rsplit('> ', 1)[-1].split(': ', 1)[-1]})"
    is_of_a_proxy = isinstance(fault, requests.exceptions.ProxyError)
    if (tls_problem := _tls_problem(innermost, host)) and not is_of_a_proxy:
        return TwilioUnreachableError(tls_problem)
    if "CA certificate bundle" in text or "[X509" in text:
        return TwilioUnreachableError(
            f"The certificate authorities could not be loaded: {cause}. Check REQUESTS_CA_BUNDLE"
        )
    never_sent = _was_never_sent(fault)
    if is_of_a_proxy and (never_sent or not changes_something):
        if f"{_TUNNEL_REFUSED}: 407" in text:
            return TwilioUnreachableError(_proxy_refused(url), http_status=407)
        return TwilioUnreachableError(
            f"The proxy {_proxy_for(url)} could not be used to reach {host}: {cause}. "
            "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
        )
    if never_sent:
        return TwilioUnreachableError(f"No connection to {host}: {cause}. Check network, host and proxy")
    kind = TwilioAmbiguousError if changes_something else TwilioUnreachableError
    return kind(f"The request to {host} went out, but no whole answer came back: {cause}")


# How OpenSSL says that the other side does not speak TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "record layer failure", "UNKNOWN_PROTOCOL", "HTTP_REQUEST")


def _tls_problem(error: BaseException, host: str) -> str | None:
    """Say why TLS did not start, and how to fix it. Nothing was sent by then."""
    text = str(error)
    # In the middle of an answer the same words do not mean that nothing was sent.
    if _is_of_handshake(error) and any(word in text for word in _NO_TLS):
        return f"{host} does not speak TLS: if it is a simulator, write http:// in the connection's host"
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return None
    if "mismatch" in text or "doesn't match" in text:
        return (
            f"The certificate shown for {host} is that of another host, so nothing was sent. Check the connection's "
            "host, or region and edge: Twilio has no certificate for an edge that does not exist"
        )
    if "expired" in text or "not yet valid" in text:
        when = "has expired" if "expired" in text else "is not valid yet"
        return f"The certificate of {host} {when}. Check the clock of this machine, or have the certificate renewed"
    return (
        f"The certificate of {host} could not be verified. Behind a proxy that opens TLS, set "
        "REQUESTS_CA_BUNDLE to the file with its certificate authority"
    )


def _is_of_handshake(error: BaseException) -> bool:
    """Say whether TLS has not started. No request is sent before."""
    # urllib3 wraps what ssl raises. Never by __context__, which may be an earlier request's error.
    error = next((arg for arg in error.args[:1] if isinstance(arg, BaseException)), error)
    return any(frame.f_code.co_name == "do_handshake" for frame, _ in walk_tb(error.__traceback__))


# How requests refuses a URL, ours or a proxy's, without trying it.
_REFUSED_BEFORE_SENDING = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)

# How http.client begins the error for a proxy that refuses to connect.
_TUNNEL_REFUSED = "Tunnel connection failed"


def _was_never_sent(fault: OSError) -> bool:
    if isinstance(fault, requests.exceptions.InvalidHeader):
        # requests refuses our header before it sends. If urllib3's error is inside, it is about a header of the answer.
        return not isinstance(fault.args[0] if fault.args else None, UnreadableHeader)
    if isinstance(fault, (requests.ConnectTimeout, *_REFUSED_BEFORE_SENDING)):
        return True
    if _is_of_handshake(_innermost(fault)):
        return True
    cause = fault.args[0] if fault.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(reason, ProxyError):
        # urllib3 raises ProxyError also for a reset behind a proxy, after something was sent.
        reason = reason.original_error
    return isinstance(reason, ConnectTimeoutError) or _TUNNEL_REFUSED in str(reason)


def _innermost(fault: BaseException) -> BaseException:
    """Return the plain cause inside the wrappers of requests and urllib3."""
    while fault.args and isinstance(fault.args[0], BaseException):
        fault = fault.args[0]
    if isinstance(fault, MaxRetryError) and fault.reason:
        fault = fault.reason
    return _root(fault)


def _root(fault: BaseException) -> BaseException:
    while len(fault.args) > 1 and isinstance(fault.args[1], BaseException):
        fault = fault.args[1]
    return fault


def _proxy_for(url: str) -> str:
    proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)) or ""
    # The part before an @ is a password.
    return proxy.rpartition("@")[2].rpartition("://")[2].rstrip("/") or "in the environment"


def _proxy_refused(url: str) -> str:
    return (
        f"The proxy {_proxy_for(url)} asks for a login (407). Give it one in HTTPS_PROXY "
        "(http://user:password@host:port), or set NO_PROXY for this host"
    )


def json_from(response: requests.Response) -> dict[str, Any]:
    """Return the JSON object in an answer; ValueError where there is none."""
    # A page of a thousand calls in a third of the time that the standard library takes.
    body = from_json(response.content)
    if not isinstance(body, dict):
        raise ValueError(f"a JSON object was expected, not a {type(body).__name__}")
    return body


def error_from_answer(response: requests.Response, *, changes_something: bool) -> TwilioError:
    """Return the error for an answer other than 2xx, by Twilio's code first and the HTTP status second."""
    status = response.status_code
    try:
        body: Mapping[str, Any] = json_from(response)
    except ValueError:
        body = {}
    code = body.get("code") if isinstance(body.get("code"), int) else None
    facts: dict[str, Any] = {
        "http_status": status,
        "code": code,
        "request_id": response.headers.get("Twilio-Request-Id"),
    }
    said = str(body.get("message") or response.reason or "no reason given")
    if status == 407:
        return TwilioUnreachableError(_proxy_refused(response.url), http_status=407)
    if status == 429 or code in NEVER_PROCESSED_CODES:
        return TwilioThrottledError(
            f"Twilio did not take the request now: {said}", retry_after=_retry_after(response), **facts
        )
    if code is None and 300 <= status < 400:
        return TwilioRejectedError(
            f"{urlsplit(response.url).netloc} is not Twilio's API: it redirects to "
            f"{urlsplit(response.headers.get('Location', '')).netloc or 'nowhere'}. Fix the connection's host",
            **facts,
        )
    if status == 404 and code is None:
        # Twilio's own answer always has a code.
        said += f". {urlsplit(response.url).netloc} may not be Twilio's API: check the connection's host, and its path"
    if status == 404 and not (changes_something and code is None):
        return TwilioNotFoundError(f"Twilio does not know it: {said}", **facts)
    if status == 408 or status >= 500:
        kind = TwilioAmbiguousError if changes_something else TwilioUnreachableError
        return kind(f"The answer does not say whether the request was carried out: {said}", **facts)
    return TwilioRejectedError(f"Twilio refused the request: {said}", **facts)


def error_from_garbage(response: requests.Response, *, changes_something: bool) -> TwilioError:
    """Return the error for a 2xx answer that is not a Call: an HTML page, cut JSON, or something else."""
    kind = TwilioAmbiguousError if changes_something else TwilioUnreachableError
    return kind(
        f"The answer could not be read ({response.headers.get('Content-Type', 'no content type')}, "
        f"{len(response.content)} bytes)",
        http_status=response.status_code,
        request_id=response.headers.get("Twilio-Request-Id"),
    )


def _retry_after(response: requests.Response) -> float | None:
    """Return the pause a Retry-After header asks for, in seconds: a number, or a date read against ours."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (pendulum.instance(until) - pendulum.now("UTC")).total_seconds())
