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
        ("https://api.us1.twilio.com", None, "https://api.us1.twilio.com"),
        ("https://api.dublin.ie1.twilio.com", None, "https://api.dublin.ie1.twilio.com"),
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
    assert f"host={host!r} is not a URL: leave it empty for Twilio" in problem_with(connection(host=host))


@pytest.mark.parametrize("country", ["France", "FRA", "33", 33, "XX", True])
def test_default_country_that_is_none_is_named_with_an_example(country: object) -> None:
    assert (
        f"extra default_country={country!r} is not a country code of ISO 3166: give two letters, such as US, FR or GB"
    ) in problem_with(connection({"default_country": country}))


@pytest.mark.parametrize("seconds", ["soon", 0, -1, "nan", "inf", True])
def test_timeout_that_is_no_time_is_named(seconds: object) -> None:
    assert f"extra http_timeout={seconds!r} is not a number of seconds above 0" in problem_with(
        connection({"http_timeout": seconds})
    )


@pytest.mark.parametrize("extra", ["{broken", '["a", "list"]', '"text"'])
def test_extra_that_is_no_json_object_is_named(extra: str) -> None:
    assert "extra is not a JSON object" in problem_with(connection(extra))


def test_all_mistakes_are_named_at_once() -> None:
    said = problem_with(
        connection({"http_timeout": "soon", "account_sid": "x"}, login="me", password="", host="localhost")
    )
    assert said.startswith("The connection 'my_twilio' cannot be used. Fix it under Admin > Connections")
    assert [line.split("=")[0].split(" is ")[0] for line in said.splitlines()[1:]] == [
        "- login",
        "- password",
        "- extra account_sid",
        "- extra http_timeout",
        "- host",
    ]


@pytest.mark.parametrize(
    ("login", "hint"),
    [
        (
            "",
            "login='' is neither an Account SID (AC and 32 hexadecimal digits) nor an API key SID (SK and 32 of them), "
            "it is empty: give one of them",
        ),
        (ACCOUNT.lower(), "write its first two letters in capitals"),
        ("b9" * 16, "it looks like the auth token, which is the password"),
        ("me@example.com", "give one of them instead of the e-mail address for the Twilio console"),
        (f'"{ACCOUNT}"', "leave the quotes out"),
        ("PN" + "0" * 32, "an SID that begins with PN belongs to something else"),
    ],
)
def test_a_login_that_is_something_else_is_said_with_the_fix(login: str, hint: str) -> None:
    assert hint in problem_with(connection(login=login))


def test_an_empty_login_is_not_called_an_api_key() -> None:
    assert "API key: give the extra account_sid" not in problem_with(connection(login=""))


def test_an_sid_as_password_is_named() -> None:
    assert "password is an SID, which belongs in the login" in problem_with(
        connection(login="b9" * 16, password=ACCOUNT)
    )


@pytest.mark.parametrize(
    ("password", "hint"),
    [
        (
            "***",
            "password is a row of stars, which Airflow shows for a hidden one: give the auth token itself",
        ),
        ('"token"', "password has quotes around it: leave them out"),
        (" \n", "password is empty"),
    ],
)
def test_a_password_that_was_copied_wrongly_is_named(password: str, hint: str) -> None:
    assert hint in problem_with(connection(password=password))


def test_an_api_key_as_account_is_named() -> None:
    said = problem_with(connection({"account_sid": API_KEY}))
    assert (
        "not AC and 32 hexadecimal digits, but an API key: that is the login, and its secret is the password"
        in said
    )


@pytest.mark.parametrize(
    ("extra", "changes", "field"),
    [
        ({"account": ACCOUNT}, {}, "the extra account"),
        ({}, {"schema": ACCOUNT}, "schema"),
        ({}, {"host": ACCOUNT}, "host"),
    ],
)
def test_an_account_in_the_wrong_field_is_found(
    extra: dict[str, Any], changes: dict[str, Any], field: str
) -> None:
    said = problem_with(connection(extra, login=API_KEY, **changes))
    assert f"give the extra account_sid (AC…) as well; {field} has one" in said


@pytest.mark.parametrize(
    ("extra", "hint"),
    [
        (
            {"edge": "roaming"},
            "edge='roaming' means the nearest edge, which api.twilio.com stands for: leave the extra",
        ),
        ({"edge": "roaming", "region": "ie1"}, "edge='roaming' does not go with a region: give 'dublin'"),
        (
            {"region": "dublin", "edge": "ie1"},
            "region='dublin' is an edge and edge='ie1' is a region: give region='ie1' and edge='dublin'",
        ),
        ({"region": "dublin"}, "region='dublin' is an edge: give region='ie1' and edge='dublin'"),
        ({"edge": "ie1"}, "edge='ie1' is a region: give region='ie1' and edge='dublin'"),
        ({"region": "frankfurt"}, "region='frankfurt' is an edge: give region='us1' and edge='frankfurt'"),
        ({"edge": "de1"}, "edge='de1' is a region: give region='us1' and edge='frankfurt'"),
        (
            {"region": "de1", "edge": "frankfurt"},
            "region='de1' is not one in which Twilio handles calls (those are us1, "
            "ie1, au1): leave it out, for us1, and give the edge 'frankfurt'",
        ),
        ({"region": "gll"}, "region='gll' means that Twilio chooses: leave it out"),
        (
            {"region": "ie2", "edge": "dublin"},
            "region='ie2' is not a region of Twilio's: did you mean 'ie1'?",
        ),
        ({"edge": "dublni"}, "edge='dublni' is not an edge of Twilio's: did you mean 'dublin'?"),
        ({"edge": "mars"}, "edge='mars' is not an edge of Twilio's: those are ashburn, dublin, sydney, "),
        ({"region": "au1"}, "region='au1' needs an edge as well"),
        ({"region": "au1"}, "Give the extra edge too, e.g. sydney for au1"),
    ],
)
def test_a_region_or_an_edge_that_is_none_is_named_with_the_fix(extra: dict[str, str], hint: str) -> None:
    assert hint in problem_with(connection(extra))


@pytest.mark.parametrize(
    ("extra", "url"),
    [
        ({"edge": "Dublin ", "region": "IE1"}, "https://api.dublin.ie1.twilio.com"),
        ({"edge": "ashburn-ix"}, "https://api.ashburn-ix.us1.twilio.com"),
        ({"region": "us1"}, "https://api.twilio.com"),
    ],
)
def test_a_region_and_an_edge_as_people_write_them(extra: dict[str, str], url: str) -> None:
    assert ConnectionSettings.of(connection(extra)).base_url == url


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("api.twilio.com", "or give one with its scheme, e.g. https://api.twilio.com"),
        ("localhost:8010", "or give one with its scheme, e.g. http://localhost:8010"),
        ("gateway.example.com", "or give one with its scheme, e.g. https://gateway.example.com"),
        (
            "https://api.twilio.com/2010-04-01",
            "has a path, which is added automatically: write https://api.twilio.com, or",
        ),
        ("https://api.dublin.ie1.twilio.com/x", "has a path, which is added automatically"),
        (
            "http://127.0.0.1:8010/2010-04-01/Accounts",
            "has Twilio's own path in it, which is added automatically: write http://127.0.0.1:8010",
        ),
        ("https://gw.example.com/a/2010-04-01", "is added automatically: write https://gw.example.com/a"),
        (
            "https://api.ie1.twilio.com",
            "is no longer served: leave it empty, and give the extras region='ie1' and edge='dublin'",
        ),
        ("https://api.de1.twilio.com", "is no longer served: leave it empty"),
        (
            "https://api.roaming.ie1.twilio.com",
            "has no certificate: give https://api.twilio.com, the nearest edge",
        ),
        ("https://www.twilio.com", "is not where Twilio's API is: leave it empty"),
        ("https://console.twilio.com", "is not where Twilio's API is: leave it empty"),
        (
            "http://api.twilio.com",
            "would send the password in clear: leave it empty for Twilio, or write https://",
        ),
        ("https://gw.example.com?x=1", "has a query or a fragment: leave out what begins with ? or #"),
        ("https://AC1:geheim@gw.example.com", "has a login in it: put it into the fields login and password"),
    ],
)
def test_a_host_that_cannot_be_right_is_named_with_the_fix(host: str, hint: str) -> None:
    said = problem_with(connection(host=host))
    assert hint in said
    assert "geheim" not in said


def test_a_token_as_host_is_not_shown() -> None:
    assert "b9" * 16 not in problem_with(connection(host="b9" * 16))


# What is likely not meant -------------------------------------------------------------------------------------


def warning_of(extra: dict[str, Any] | None = None, **changes: Any) -> str:
    (warning,) = ConnectionSettings.of(connection(extra, **changes)).warnings
    return warning


@pytest.mark.parametrize("password", ["token\n", " token", "token\r\n", "\ttoken "])
def test_a_password_with_a_line_end_or_a_blank_is_used_without_and_said(password: str) -> None:
    settings = ConnectionSettings.of(connection(password=password))
    assert settings.password == "token"
    assert settings.warnings == (
        "has a blank or a line end before or after its password, which is left out: store the password without",
    )


@pytest.mark.parametrize(
    "host",
    ["http://gateway.example.com", "http://10.0.0.5:8010", "http://simulator:8010", "http://[2001:db8::1]"],
)
def test_http_to_another_machine_is_warned_about(host: str) -> None:
    assert "sends its password in clear over the network" in warning_of(host=host)
    assert "write https://" in warning_of(host=host)


@pytest.mark.parametrize(
    "host",
    [
        "http://127.0.0.1:8010",
        "http://localhost:8010",
        "http://[::1]:8010",
        "http://127.1.2.3",
        "https://10.0.0.5",
    ],
)
def test_http_to_this_machine_is_fine(host: str) -> None:
    assert ConnectionSettings.of(connection(host=host)).warnings == ()


def test_what_has_no_effect_is_said() -> None:
    assert "has an extra region and edge without effect, since host is set" in warning_of(
        {"region": "ie1", "edge": "dublin"}, host="http://127.0.0.1:8010"
    )
    assert "has a port=9999 without effect on host='http://127.0.0.1:8010'" in warning_of(
        host="http://127.0.0.1:8010", port=9999
    )
    assert "has a port=443 without effect, since host is empty" in warning_of(port=443)
    assert "has a port=8443 without effect" in warning_of(host="https://gw.example.com/twilio", port=8443)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("form", ": did you mean 'from'?"),
        ("From", ": did you mean 'from'?"),
        ("accountSid", ": did you mean 'account_sid'?"),
        ("extra__twilio__account_sid", ": did you mean 'account_sid'?"),
        ("timeout", ": did you mean 'http_timeout'?"),
        ("zone", "has an unknown extra 'zone'"),
    ],
)
def test_an_unknown_extra_is_warned_about_with_the_nearest_one(name: str, hint: str) -> None:
    assert warning_of({name: "x"}).startswith(f"has an unknown extra {name!r}")
    assert warning_of({name: "x"}).endswith(hint)


# Unknown extras -----------------------------------------------------------------------------------------------


def test_unknown_extras_are_told_apart() -> None:
    assert ConnectionSettings.unknown_extras(connection({"form": "+1555", "from": "+1555", "zone": 1})) == [
        "form",
        "zone",
    ]


def test_no_extra_has_no_unknown_ones() -> None:
    assert ConnectionSettings.unknown_extras(connection()) == []
