"""A connection is read whole: what is right becomes settings, what is wrong is named all at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_twiliocall.exceptions import TwilioConnectionError
from airflow_provider_twiliocall.hooks.connection_settings import ConnectionSettings

ACCOUNT = "AC" + "0123456789abcdef" * 2
API_KEY = "SK" + "0123456789abcdef" * 2


def connection(extra: dict[str, Any] | str | None = None, **changes: Any) -> Connection:
    fields: dict[str, Any] = {"login": ACCOUNT, "password": "token"} | changes
    text = json.dumps(extra) if isinstance(extra, dict) else extra
    return Connection(conn_id="my_twilio", conn_type="twilio", extra=text, **fields)


def problem_with(connection: Connection) -> str:
    with pytest.raises(TwilioConnectionError) as raised:
        ConnectionSettings.of(connection)
    return str(raised.value)


# What is right ------------------------------------------------------------------------------------------------


def test_login_and_password_are_enough() -> None:
    assert ConnectionSettings.of(connection()) == ConnectionSettings(
        login=ACCOUNT,
        password="token",
        account_sid=ACCOUNT,
        base_url="https://api.twilio.com",
        read_timeout=15.0,
        connect_timeout=5.0,
        default_from=None,
    )


def test_api_key_with_account_sid() -> None:
    settings = ConnectionSettings.of(connection({"account_sid": ACCOUNT}, login=API_KEY))
    assert (settings.login, settings.account_sid) == (API_KEY, ACCOUNT)


def test_account_sid_of_a_subaccount_goes_before_the_login() -> None:
    subaccount = "AC" + "5" * 32
    assert ConnectionSettings.of(connection({"account_sid": subaccount})).account_sid == subaccount


def test_blanks_around_what_was_pasted_do_no_harm() -> None:
    settings = ConnectionSettings.of(connection({"from": " +15551234567 "}, login=f" {ACCOUNT}\n"))
    assert (settings.login, settings.default_from) == (ACCOUNT, "+15551234567")


def test_blank_extras_of_the_form_count_as_unset() -> None:
    blank = {"account_sid": "", "from": "", "region": "", "edge": None, "http_timeout": None}
    assert ConnectionSettings.of(connection(blank)) == ConnectionSettings.of(connection())


@pytest.mark.parametrize(
    ("extra", "url"),
    [
        ({"edge": "dublin"}, "https://api.dublin.us1.twilio.com"),
        ({"edge": "dublin", "region": "ie1"}, "https://api.dublin.ie1.twilio.com"),
    ],
)
def test_edge_and_region_make_the_url(extra: dict[str, str], url: str) -> None:
    assert ConnectionSettings.of(connection(extra)).base_url == url


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("http://127.0.0.1:8010", None, "http://127.0.0.1:8010"),
        ("http://127.0.0.1:8010/", None, "http://127.0.0.1:8010"),
        ("http://127.0.0.1", 8010, "http://127.0.0.1:8010"),
        ("http://127.0.0.1:8010", 9999, "http://127.0.0.1:8010"),
        ("https://gateway.example.com/twilio", 8443, "https://gateway.example.com/twilio"),
    ],
)
def test_host_is_another_base_url(host: str, port: int | None, url: str) -> None:
    assert ConnectionSettings.of(connection(host=host, port=port)).base_url == url


def test_host_goes_before_edge_and_region() -> None:
    settings = ConnectionSettings.of(connection({"region": "ie1"}, host="http://127.0.0.1:8010"))
    assert settings.base_url == "http://127.0.0.1:8010"


@pytest.mark.parametrize(("given", "seconds"), [(30, 30.0), ("2.5", 2.5), (60, 60.0)])
def test_http_timeout_is_the_time_to_wait_for_an_answer(given: object, seconds: float) -> None:
    assert ConnectionSettings.of(connection({"http_timeout": given})).read_timeout == seconds


def test_default_country_is_an_iso_3166_code_in_upper_case() -> None:
    assert ConnectionSettings.of(connection({"default_country": " fr "})).default_country == "FR"
    assert ConnectionSettings.of(connection({"default_country": ""})).default_country is None


def test_connecting_takes_no_longer_than_http_timeout() -> None:
    assert ConnectionSettings.of(connection({"http_timeout": 2})).connect_timeout == 2.0
    assert ConnectionSettings.of(connection({"http_timeout": 30})).connect_timeout == 5.0


def test_repr_hides_the_password() -> None:
    assert "token" not in repr(ConnectionSettings.of(connection()))


# What is wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", [None, "", "me@example.com", "AC123", "PN" + "0" * 32, ACCOUNT.lower()])
def test_login_that_is_no_sid_is_named(login: str | None) -> None:
    assert "neither an Account SID (AC and 32 hexadecimal digits) nor an API key SID" in problem_with(
        connection(login=login)
    )


def test_token_in_the_wrong_field_is_not_shown() -> None:
    assert "b9" * 16 not in problem_with(connection(login="b9" * 16))


@pytest.mark.parametrize("password", [None, ""])
def test_missing_password_is_named(password: str | None) -> None:
    assert "password is empty: give the auth token" in problem_with(connection(password=password))


def test_api_key_without_account_sid_is_named() -> None:
    assert "the login is an API key: give the extra account_sid (AC…) as well" in problem_with(
        connection(login=API_KEY)
    )


def test_account_sid_that_is_none_is_named() -> None:
    assert "extra account_sid='SK01'… (34 characters) is not AC and 32" in problem_with(
        connection({"account_sid": API_KEY})
    )


def test_region_without_edge_is_named_with_the_fix() -> None:
    said = problem_with(connection({"region": "ie1"}))
    assert "region='ie1' needs an edge" in said
    assert "Give the extra edge too, e.g. dublin for ie1" in said


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8010", "localhost", "ftp://example.com", "http://:80", "http://[::1"]
)
def test_host_that_is_no_url_is_named(host: str) -> None:
    assert f"host={host!r} is no URL: leave it empty for Twilio" in problem_with(connection(host=host))


@pytest.mark.parametrize("country", ["France", "FRA", "33", 33, "XX", True])
def test_default_country_that_is_none_is_named_with_an_example(country: object) -> None:
    assert (
        f"extra default_country={country!r} is not a country code of ISO 3166: give two letters, such as US, FR or GB"
    ) in problem_with(connection({"default_country": country}))


@pytest.mark.parametrize("seconds", ["soon", 0, -1, "nan", "inf", True])
def test_timeout_that_is_no_time_is_named(seconds: object) -> None:
    assert f"extra http_timeout={seconds!r} is no number of seconds above 0" in problem_with(
        connection({"http_timeout": seconds})
    )


@pytest.mark.parametrize("extra", ["{broken", '["a", "list"]', '"text"'])
def test_extra_that_is_no_json_object_is_named(extra: str) -> None:
    assert "extra is not a JSON object" in problem_with(connection(extra))


def test_all_mistakes_are_named_at_once() -> None:
    said = problem_with(
        connection({"http_timeout": "soon", "account_sid": "x"}, login="me", password="", host="localhost")
    )
    assert said.startswith("The connection 'my_twilio' cannot be used. Mend it under Admin > Connections")
    assert [line.split("=")[0].split(" is ")[0] for line in said.splitlines()[1:]] == [
        "- login",
        "- password",
        "- extra account_sid",
        "- extra http_timeout",
        "- host",
    ]


# Unknown extras -----------------------------------------------------------------------------------------------


def test_unknown_extras_are_told_apart() -> None:
    assert ConnectionSettings.unknown_extras(connection({"form": "+1555", "from": "+1555", "zone": 1})) == [
        "form",
        "zone",
    ]


def test_no_extra_has_no_unknown_ones() -> None:
    assert ConnectionSettings.unknown_extras(connection()) == []
