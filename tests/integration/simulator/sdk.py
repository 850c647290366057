"""The official SDK, its requests sent to a simulator instead of api.twilio.com."""

from __future__ import annotations

from typing import Any

from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import TwilioSimulator

TWILIO = "https://api.twilio.com"


class SimulatorHttpClient(TwilioHttpClient):
    """The SDK's own HTTP client with another host."""

    def __init__(self, simulator: TwilioSimulator) -> None:
        super().__init__(timeout=10)
        self._url = simulator.url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        assert url.startswith(TWILIO), f"the SDK asked for {url}"
        return super().request(method, self._url + url.removeprefix(TWILIO), *args, **kwargs)


def sdk_client(
    simulator: TwilioSimulator,
    user: str | None = None,
    password: str | None = None,
    account: str | None = None,
) -> Client:
    """A client of the simulator; its account's token unless said otherwise."""
    return Client(
        simulator.account_sid if user is None else user,
        simulator.auth_token if password is None else password,
        simulator.account_sid if account is None else account,
        http_client=SimulatorHttpClient(simulator),
    )
