"""Who is let in: token and API keys are, everything else gets Twilio's 20003."""

from __future__ import annotations

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.simulator.sdk import sdk_client
from tests.integration.simulator.wire import Wire


def test_the_auth_token_opens_the_account(client: Client, twilio_simulator: TwilioSimulator) -> None:
    account = client.api.v2010.accounts(twilio_simulator.account_sid).fetch()

    assert (account.sid, account.status) == (twilio_simulator.account_sid, "active")


def test_an_api_key_opens_the_account(twilio_simulator: TwilioSimulator) -> None:
    client = sdk_client(twilio_simulator, twilio_simulator.api_key_sid, twilio_simulator.api_key_secret)

    assert client.api.v2010.account.fetch().sid == twilio_simulator.account_sid


def test_a_standard_api_key_may_do_all_but_read_the_account(twilio_simulator: TwilioSimulator) -> None:
    client = sdk_client(
        twilio_simulator, twilio_simulator.standard_api_key_sid, twilio_simulator.standard_api_key_secret
    )

    assert client.calls.list() == []
    with pytest.raises(TwilioRestException) as refusal:
        client.api.v2010.account.fetch()
    assert (refusal.value.status, refusal.value.code) == (401, 20003)


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (None, "not the token"),
        ("AC" + "0" * 32, None),
        ("SK" + "0" * 32, None),
        (None, ""),
    ],
)
def test_wrong_credentials_get_20003(
    twilio_simulator: TwilioSimulator, user: str | None, password: str | None
) -> None:
    answer = requests.get(
        f"{twilio_simulator.url}/2010-04-01/Accounts/{twilio_simulator.account_sid}/Calls.json",
        auth=(
            user or twilio_simulator.account_sid,
            twilio_simulator.auth_token if password is None else password,
        ),
        timeout=10,
    )

    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer abc"}, {"Authorization": "Basic %%%"}, {"Authorization": "Basic YWJj"}],
)
def test_a_request_without_basic_credentials_gets_20003(
    twilio_simulator: TwilioSimulator, headers: dict[str, str]
) -> None:
    answer = requests.get(
        f"{twilio_simulator.url}/2010-04-01/Accounts/{twilio_simulator.account_sid}/Calls.json",
        headers=headers,
        timeout=10,
    )

    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Twilio API"'


def test_another_account_is_closed(twilio_simulator: TwilioSimulator) -> None:
    client = sdk_client(twilio_simulator, account="AC" + "0" * 32)

    with pytest.raises(TwilioRestException) as refusal:
        client.calls("CA" + "0" * 32).fetch()
    assert (refusal.value.status, refusal.value.code) == (401, 20003)


def test_wrong_credentials_are_told_from_requests_that_make_no_sense(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    wire.session.auth = (twilio_simulator.account_sid, "wrong")

    assert wire.get("/Calls.json").status_code == 401
    assert twilio_simulator.refused == []


def test_the_record_never_shows_a_secret(wire: Wire, twilio_simulator: TwilioSimulator) -> None:
    wire.get("/Calls.json")

    assert twilio_simulator.requests[-1].headers["authorization"] == "Basic ***"
    assert twilio_simulator.auth_token not in repr(twilio_simulator.requests)
