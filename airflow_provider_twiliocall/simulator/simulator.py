"""TwilioSimulator: a Twilio in this process, over real HTTP on 127.0.0.1."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from airflow_provider_twiliocall.simulator.app import create_app
from airflow_provider_twiliocall.simulator.calls.account import FROM_NUMBER, Account
from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.endings import EndingLike, as_endings
from airflow_provider_twiliocall.simulator.control import calls_of, shown
from airflow_provider_twiliocall.simulator.fault import Fault
from airflow_provider_twiliocall.simulator.request_log import ReceivedRequest
from airflow_provider_twiliocall.simulator.server import HOST, Server
from airflow_provider_twiliocall.simulator.transcript import summary_of, transcript_of
from airflow_provider_twiliocall.simulator.twilio import Twilio
from airflow_provider_twiliocall.simulator.twilio_api.resources import call_body
from airflow_provider_twiliocall.simulator.webhooks.sender import webhook_dicts
from airflow_provider_twiliocall.twilio.call import CallStatus

VERIFIED = ("+15005550006", "+15005551000", "+15005551100", "+15005551101", "+15005551200")


class TwilioSimulator:
    """A Twilio account whose calls ring nobody; a context manager.

    :param port: 0 for a free one.
    :param speed: simulated seconds in one real second.
    :param calls_per_second: calls that leave the queue in a simulated second.
    :param trial: a trial account, which may only call ``verified`` numbers.
    :param verified: the numbers a trial account may call, at most five; unset: :data:`VERIFIED`.
    :param numbers: further numbers that calls may come from, besides ``from_number``.
    :param skew: seconds that Twilio's clock is ahead of this machine's.
    """

    def __init__(
        self,
        port: int = 0,
        speed: float = 1.0,
        calls_per_second: float = 1.0,
        trial: bool = False,
        *,
        verified: Iterable[str] = VERIFIED,
        numbers: Iterable[str] = (),
        skew: float = 0.0,
    ) -> None:
        verified = tuple(verified)
        if len(verified) > 5:
            raise ValueError(f"a trial account has at most five verified numbers, not {len(verified)}")
        self.clock = Clock(speed, skew=skew)
        self._account = Account(
            self.clock,
            calls_per_second=calls_per_second,
            numbers=numbers,
            verified=verified if trial else None,
        )
        self._twilio = Twilio(self._account)
        self._port = port
        self._server: Server | None = None

    def start(self) -> TwilioSimulator:
        """Start to serve, and return once connections are accepted. ``with`` does it for you."""
        self._server = Server(create_app(self._twilio), self._port)
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving. What happened can still be read."""
        if self._server is not None:
            self._port = self._server.port
            self._server.stop()
            self._server = None

    def __enter__(self) -> TwilioSimulator:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # How to reach it

    @property
    def url(self) -> str:
        """The base URL, in place of ``https://api.twilio.com``."""
        return f"http://{HOST}:{self._server.port if self._server else self._port}"

    @property
    def account_sid(self) -> str:
        """The Account SID."""
        return self._account.credentials.account_sid

    @property
    def auth_token(self) -> str:
        """The account's auth token."""
        return self._account.credentials.auth_token

    @property
    def api_key_sid(self) -> str:
        """A main API key, which may do everything."""
        return self._account.credentials.api_key_sid

    @property
    def api_key_secret(self) -> str:
        """Its secret."""
        return self._account.credentials.api_key_secret

    @property
    def standard_api_key_sid(self) -> str:
        """A standard API key, which may do everything but read the account (20003, as at Twilio)."""
        return self._account.credentials.standard_api_key_sid

    @property
    def standard_api_key_secret(self) -> str:
        """Its secret."""
        return self._account.credentials.standard_api_key_secret

    @property
    def from_number(self) -> str:
        """A number calls may come from."""
        return FROM_NUMBER

    @property
    def airflow_connection(self) -> str:
        """The JSON text for ``AIRFLOW_CONN_TWILIO_DEFAULT``."""
        connection = {
            "conn_type": "twilio",
            "login": self.account_sid,
            "password": self.auth_token,
            "host": self.url,
            "extra": {"from": self.from_number},
        }
        return json.dumps(connection)

    # What will happen

    def script(self, number: str, endings: EndingLike | Sequence[EndingLike]) -> None:
        """Say how calls to a number end, from the next one on.

        :param number: E.164, ``client:…`` or ``sip:…``; ``"*"``: every number without an ending of its own.
        :param endings: an :class:`Ending`, its name, or its fields as a dict; or a list with one for each
            call in turn; the last one is used for all later calls.
        """
        self._account.script.set(number, as_endings(endings))

    def inject(self, fault: Fault) -> str:
        """Inject a fault. The returned id clears it."""
        return self._twilio.faults.inject(fault)

    def clear_faults(self, fault_id: str | None = None) -> None:
        """Clear one fault, or all."""
        self._twilio.faults.clear(fault_id)

    def own(self, number: str) -> None:
        """Let calls come from a number."""
        self._account.own(number)

    def skip(self, seconds: float) -> None:
        """Let simulated seconds pass at once."""
        self.clock.skip(seconds)
        self._account.advance()
        self._account.when_something_happens()

    def end(self, sid: str, status: CallStatus | str = CallStatus.CANCELED) -> dict[str, Any]:
        """End a call as somebody in Twilio's console would; return the call as it is then."""
        return call_body(self._account.end(sid, CallStatus(status)), self.clock)

    def press(self, sid: str, keys: str) -> dict[str, Any]:
        """Press keys on the callee's phone now, and return the call as in :attr:`calls`.

        A key that nobody waits for is lost, as at Twilio; :meth:`transcript` then says ``counted: False``.

        :param keys: one or more of ``0123456789*#``, pressed one after the other in the same instant.
        :raises Problem: Twilio's 21220 for a call that is not in progress, 20404 for one that is not known.
        """
        return shown(self._account.press(sid, keys), self.clock)

    def reset(self) -> None:
        """As at the start: no calls, scripts, faults, requests."""
        self._twilio.reset()

    # What has happened

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Every request to the Twilio API, oldest first."""
        return self._twilio.log.all()

    @property
    def refused(self) -> list[ReceivedRequest]:
        """The requests that Twilio would not have understood; not those it understands and says no to, as to 21217."""
        return [request for request in self.requests if request.refused is not None]

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The faults injected, and how often each has struck."""
        return self._twilio.faults.as_list()

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls as the API shows them, oldest first; ``said``, ``pressed`` and ``error_codes`` besides."""
        return calls_of(self._twilio)

    @property
    def webhooks(self) -> list[dict[str, Any]]:
        """Every request made, or not made, to a URL that a call was given."""
        return webhook_dicts(self._account)

    def transcript(self, sid: str) -> list[dict[str, Any]]:
        """What was said, played, pressed and asked in a call, in order.

        Of each line ``second`` (simulated, since the answer), ``line`` (``said``, ``played``, ``pressed``, ``asked``,
        ``not simulated``), ``text``, ``cut_after`` (seconds, if a key cut it short) and ``counted`` (of a key,
        whether it was waited for).
        """
        with self._account.lock:
            return transcript_of(self._account.find(sid), self.clock)

    def wait_for_words(self, sid: str, words: str, timeout: float = 10.0) -> dict[str, Any]:
        """Wait until words are being said in a call, and return the call as in :attr:`calls`, or raise TimeoutError.

        :param words: a part of what is said.
        :param timeout: real seconds. A call that has ended without them raises at once.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._account.lock:
                call = self._account.find(sid)
                said = summary_of(call)["said"]
                if any(words in each for each in said):
                    return shown(call, self.clock)
            if call.status.is_terminal or time.monotonic() > deadline:
                raise TimeoutError(f"call {sid} ({call.status.value}) has not said {words!r}, only {said}")
            time.sleep(0.005)

    def wait_for(
        self, sid: str, status: CallStatus | str | None = None, timeout: float = 10.0
    ) -> dict[str, Any]:
        """Wait until the call has a status (unset: until it is over) and return it, or raise TimeoutError.

        :param timeout: real seconds. A call that has ended in another status raises at once.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._account.lock:
                call = self._account.find(sid)
                now = call.status
                if now == status or (status is None and now.is_terminal):
                    return call_body(call, self.clock)
            if now.is_terminal or time.monotonic() > deadline:
                raise TimeoutError(f"call {sid} is {now.value}, not {status or 'over'}")
            time.sleep(0.005)
