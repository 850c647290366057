"""TwilioClient: one requests.Session over Twilio's Calls API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import partial
from itertools import chain
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from pydantic import ValidationError
from requests.auth import HTTPBasicAuth
from urllib3.util import Retry

from airflow_provider_twiliocall import __version__, clock
from airflow_provider_twiliocall.twilio.call import Call, CallStatus, is_call_sid
from airflow_provider_twiliocall.twilio.call_list import LARGEST_PAGE, listed_call, moment
from airflow_provider_twiliocall.twilio.ending import PATIENCE_TO_END_S, HowToEnd, end_call, retry_until
from airflow_provider_twiliocall.twilio.errors import TwilioRejectedError, TwilioUnreachableError
from airflow_provider_twiliocall.twilio.failed_request import (
    error_from_answer,
    error_from_fault,
    error_from_garbage,
    json_from,
)
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from airflow_provider_twiliocall.twilio.transport import READ_RETRY, WRITE_RETRY, RetryByMethod
from airflow_provider_twiliocall.twilio.twilio_clock import TwilioClock

DEFAULT_CONNECT_TIMEOUT_S = 5.0
DEFAULT_READ_TIMEOUT_S = 15.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class TwilioClient:
    """Twilio's Calls API for one account.

    Every request has a timeout and goes by HTTP Basic over one keep-alive session. Reads are repeated on
    429, 5xx and connection faults; anything else only where no connection was made. Proxies and certificate
    authorities come from the environment, as requests reads them.

    All methods raise the errors of :mod:`airflow_provider_twiliocall.twilio.errors`.

    :param username: Account SID, or API key SID
    :param password: auth token, or the API key's secret
    :param account_sid: the account whose calls these are
    :param base_url: where the API is, see :func:`.api_url`
    :param connect_timeout: seconds to wait for a connection
    :param read_timeout: seconds to wait for an answer
    :param reads: how reads are repeated
    :param writes: how anything else is, and only where no connection was made
    :param airflow_version: for the User-Agent
    """

    def __init__(
        self,
        username: str,
        password: str,
        *,
        account_sid: str,
        base_url: str = "https://api.twilio.com",
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT_S,
        read_timeout: float = DEFAULT_READ_TIMEOUT_S,
        reads: Retry = READ_RETRY,
        writes: Retry = WRITE_RETRY,
        airflow_version: str | None = None,
    ) -> None:
        self.account_sid = account_sid
        self.base_url = base_url.rstrip("/")
        self.timeout = (connect_timeout, read_timeout)
        """Seconds to wait for a connection, and for an answer."""
        self._session = requests.Session()
        # As bytes: requests takes text for Latin-1, and fails over a character beyond it.
        self._session.auth = HTTPBasicAuth(username.encode(), password.encode())
        self._session.mount("https://", RetryByMethod(reads, writes))
        self._session.mount("http://", RetryByMethod(reads, writes))
        # Proxies and CA bundle, read once: requests would read the environment for every request.
        environment = self._session.merge_environment_settings(self.base_url, {}, None, None, None)
        self._session.proxies, self._session.verify = environment["proxies"], environment["verify"]
        self._session.trust_env = False
        self._clock = TwilioClock()
        host = f"apache-airflow/{airflow_version} " if airflow_version else ""
        self._session.headers.update(
            {
                "User-Agent": f"airflow-provider-twiliocall/{__version__} {host}{requests.utils.default_user_agent()}",
                "Accept": "application/json",
            }
        )

    @property
    def clock_offset(self) -> float | None:
        """Seconds that Twilio's clock is ahead of ours, by its latest answer, to about one; None before any."""
        return self._clock.offset

    def __repr__(self) -> str:
        return f"TwilioClient(account_sid={self.account_sid!r}, base_url={self.base_url!r})"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    # Calls ------------------------------------------------------------------------------------------------

    def create_call(self, params: CreateCallParams) -> Call:
        """Place a call, with one POST.

        :raises TwilioAmbiguousError: when nobody can say whether the phone rings
        :raises TwilioThrottledError: when Twilio did nothing and asks to wait
        """
        path = self._calls(account_sid=params.account_sid)
        return self._call("POST", path, form=params.to_form())

    def get_call(self, sid: str) -> Call:
        """Fetch a call. A new one may not be found for a moment, or have an older status."""
        return self._call("GET", self._of_call(sid))

    def list_calls(
        self,
        *,
        to: str | None = None,
        from_: str | None = None,
        parent_call_sid: str | None = None,
        status: CallStatus | str | None = None,
        start_time: datetime | date | str | None = None,
        start_time_before: datetime | date | str | None = None,
        start_time_after: datetime | date | str | None = None,
        end_time: datetime | date | str | None = None,
        end_time_before: datetime | date | str | None = None,
        end_time_after: datetime | date | str | None = None,
        page_size: int = LARGEST_PAGE,
    ) -> Iterator[Call]:
        """Yield the calls that fit every filter given, page by page, in Twilio's order.

        A call still queued has no start time, so the filters on it miss such a call. A call that cannot be read is
        logged as a warning and left out, so that the others are not lost.

        :param page_size: calls a request fetches, 1 to 1000
        """
        filters = {
            "To": to,
            "From": from_,
            "ParentCallSid": parent_call_sid,
            "Status": None if status is None else str(status),
            "StartTime": moment(start_time),
            "StartTime<": moment(start_time_before),
            "StartTime>": moment(start_time_after),
            "EndTime": moment(end_time),
            "EndTime<": moment(end_time_before),
            "EndTime>": moment(end_time_after),
            "PageSize": str(page_size),
        }
        given = {name: value for name, value in filters.items() if value is not None}
        for body in chain.from_iterable(self._pages(self._calls(), "calls", given)):
            if (call := listed_call(body)) is not None:
                yield call

    def call_pages(self, page_size: int = LARGEST_PAGE) -> Iterator[list[Any]]:
        """Yield the account's calls, page by page, as Twilio describes them: :func:`.listed_call` reads one."""
        return self._pages(self._calls(), "calls", {"PageSize": str(page_size)})

    def update_call(
        self,
        sid: str,
        *,
        status: CallStatus | str | None = None,
        url: str | None = None,
        method: str | None = None,
        twiml: str | None = None,
        fallback_url: str | None = None,
        fallback_method: str | None = None,
        status_callback: str | None = None,
        status_callback_method: str | None = None,
        time_limit: int | None = None,
    ) -> Call:
        """Change a call that is going on: end it, or send it other TwiML.

        :raises TwilioRejectedError: with code 21220 when the call is over
        """
        changes = {
            "Status": None if status is None else str(status),
            "Url": url,
            "Method": method,
            "Twiml": twiml,
            "FallbackUrl": fallback_url,
            "FallbackMethod": fallback_method,
            "StatusCallback": status_callback,
            "StatusCallbackMethod": status_callback_method,
            "TimeLimit": None if time_limit is None else str(time_limit),
        }
        form = [(name, value) for name, value in changes.items() if value is not None]
        return self._call("POST", self._of_call(sid), form=form)

    def cancel_call(self, sid: str, *, patience: float = PATIENCE_TO_END_S) -> Call:
        """End a call unless somebody is on the line; return it as it is then.

        :param patience: seconds to try for through transient errors; a new call may be unknown for a moment
        """
        return self._end(sid, "cancel", patience)

    def hang_up(self, sid: str, *, patience: float = PATIENCE_TO_END_S) -> Call:
        """End a call in any state; return it as it is then. A call that is already over is not an error.

        :param patience: as for :meth:`cancel_call`
        """
        return self._end(sid, "hang_up", patience)

    def _end(self, sid: str, how: HowToEnd, patience: float) -> Call:
        end = partial(end_call, self, sid, how)
        return retry_until(end, sid, how=how, until=clock.time() + patience).call

    # What a call left behind ------------------------------------------------------------------------------

    def recordings(self, sid: str) -> Iterator[dict[str, Any]]:
        """Yield the call's recordings as Twilio describes them (``sid`` RE…, ``duration`` in seconds, …)."""
        return chain.from_iterable(self._pages(self._of_call(sid, "Recordings"), "recordings"))

    def notifications(self, sid: str) -> Iterator[dict[str, Any]]:
        """Yield what Twilio noted about the call: ``error_code``, ``log`` (0 error, 1 warning), ``message_text``.

        The one place that says why a call *failed*.
        """
        return chain.from_iterable(self._pages(self._of_call(sid, "Notifications"), "notifications"))

    def events(self, sid: str) -> Iterator[dict[str, Any]]:
        """Yield the requests Twilio made for the call and their answers, from 15 minutes after its end."""
        return chain.from_iterable(self._pages(self._of_call(sid, "Events"), "events"))

    def account(self) -> dict[str, Any]:
        """Fetch the account: ``friendly_name``, ``status`` (active, suspended, closed), ``type``."""
        return self._json("GET", f"/2010-04-01/Accounts/{self.account_sid}.json")

    # Requests ---------------------------------------------------------------------------------------------

    def _of_call(self, sid: str, *below: str) -> str:
        if not is_call_sid(sid):
            raise ValueError(f"sid={sid!r:.80} is not the SID of a call: give CA and 32 hexadecimal digits")
        return self._calls(sid, *below)

    def _calls(self, *below: str, account_sid: str | None = None) -> str:
        account = account_sid or self.account_sid
        return "/".join([f"/2010-04-01/Accounts/{account}/Calls", *below]) + ".json"

    def _url(self, path: str) -> str:
        # Not urljoin: it would lose the path of a base URL behind a gateway.
        return f"{self.base_url}{path}" if path.startswith("/") else urljoin(f"{self.base_url}/", path)

    def _pages(self, path: str, key: str, query: Mapping[str, str] | None = None) -> Iterator[list[Any]]:
        page = self._json("GET", path, params=query)
        while True:
            listed, following = page.get(key) or [], page.get("next_page_uri") or ""
            if not isinstance(listed, list) or not isinstance(following, str):
                raise TwilioUnreachableError(f"A page of {key} could not be read")
            yield listed
            if not following:
                return
            # The URI has a token, so it is used as it is, but never for another host.
            if urlsplit(self._url(following))[:2] != urlsplit(self.base_url)[:2]:
                raise TwilioRejectedError(f"A page of {key} points to another host than {self.base_url}")
            page = self._json("GET", following)

    def _call(self, http_method: str, path: str, **kwargs: Any) -> Call:
        response = self.send(http_method, path, **kwargs)
        try:
            return Call.model_validate(json_from(response))
        except (ValueError, ValidationError):
            raise error_from_garbage(response, changes_something=http_method != "GET") from None

    def _json(self, http_method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        response = self.send(http_method, path, **kwargs)
        try:
            return json_from(response)
        except ValueError:
            raise error_from_garbage(response, changes_something=http_method != "GET") from None

    def send(
        self, http_method: str, path: str, *, form: list[tuple[str, str]] | None = None, **kwargs: Any
    ) -> requests.Response:
        """Send one request, by the rule for its method; return an answer of 2xx.

        :param path: below the base URL, or a URI of Twilio's
        :param form: the fields of what is sent
        """
        changes_something = http_method != "GET"
        url = self._url(path)
        if form:
            # As requests does, in a fifth of the time.
            kwargs |= {"data": urlencode(form), "headers": _FORM}
        try:
            response = self._session.request(
                http_method, url, timeout=self.timeout, allow_redirects=False, **kwargs
            )
        except OSError as fault:  # requests' own errors are such; a missing CA bundle is a plain one
            # Not `from fault`: its text has the URL, and with it the numbers a list is filtered by.
            raise error_from_fault(fault, changes_something=changes_something, url=url) from None
        self._clock.saw(response.headers.get("Date"))
        if not response.ok or response.is_redirect:
            raise error_from_answer(response, changes_something=changes_something)
        return response
