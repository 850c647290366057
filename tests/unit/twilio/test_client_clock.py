"""How far Twilio's clock is from ours, as the client reads it off the answers."""

from __future__ import annotations

import pytest
import requests
from requests.adapters import BaseAdapter

from airflow_provider_twiliocall.twilio import transport
from airflow_provider_twiliocall.twilio.client import TwilioClient
from airflow_provider_twiliocall.twilio.errors import TwilioError
from tests.support.turned_clock import TurnedClock

NOW = 1_700_000_000.0
AT_NOON = "Tue, 14 Nov 2023 22:13:20 GMT"
A_MINUTE_AND_A_HALF_LATER = "Tue, 14 Nov 2023 22:14:50 GMT"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    TurnedClock(NOW).install(monkeypatch)


@pytest.fixture
def client() -> TwilioClient:
    return TwilioClient("AC", "token", account_sid="AC" + "a" * 32, base_url="http://127.0.0.1:9")


def answer_with(monkeypatch: pytest.MonkeyPatch, *, status: int = 200, date: str | None = None) -> None:
    """Let every request be answered so."""

    def send(adapter: BaseAdapter, request: requests.PreparedRequest, **kwargs: object) -> requests.Response:
        response = requests.Response()
        response.status_code, response._content, response.request = status, b"{}", request
        response.url = str(request.url)
        response.headers.update({"Date": date} if date else {})
        return response

    monkeypatch.setattr(transport.RetryByMethod, "send", send)


def test_nothing_is_known_of_twilios_clock_before_an_answer(client: TwilioClient) -> None:
    assert client.clock_offset is None


@pytest.mark.parametrize(("date", "offset"), [(AT_NOON, 0.5), (A_MINUTE_AND_A_HALF_LATER, 90.5)])
def test_twilios_clock_is_read_off_its_latest_answer_to_half_a_second(
    client: TwilioClient, monkeypatch: pytest.MonkeyPatch, date: str, offset: float
) -> None:
    answer_with(monkeypatch, date=date)
    client.account()
    assert client.clock_offset == offset


def test_an_answer_that_refuses_tells_the_time_too(
    client: TwilioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch, status=503, date=A_MINUTE_AND_A_HALF_LATER)
    with pytest.raises(TwilioError):
        client.account()
    assert client.clock_offset == 90.5


@pytest.mark.parametrize("date", [None, "yesterday"])
def test_an_answer_without_a_readable_date_tells_nothing(
    client: TwilioClient, monkeypatch: pytest.MonkeyPatch, date: str | None
) -> None:
    answer_with(monkeypatch, date=date)
    client.account()
    assert client.clock_offset is None
