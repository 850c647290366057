"""The hook takes its connection as a user gives it, and says what is missing and how to give it."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.exceptions import TwilioConnectionError, TwilioConnectionNotFoundError
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.twilio.params import CallParamsError, CreateCallParams

ACCOUNT = "AC" + "0123456789abcdef" * 2
SECRET = "9a8b7c6d5e4f30211203f4e5d6c7b8a9"
TO = "+15558675310"


def connect(monkeypatch: pytest.MonkeyPatch, name: str = "TWILIO_DEFAULT", **changes: Any) -> None:
    fields = {"conn_type": "twilio", "login": ACCOUNT, "password": SECRET} | changes
    monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(fields))


def params(**changes: Any) -> CreateCallParams:
    return CreateCallParams(**({"to": TO, "twiml": "<Response/>"} | changes))


def test_default_connection_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch)
    assert TwilioCallHook().settings.login == ACCOUNT


def test_connection_may_have_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "ALERTS", extra={"from": "+15017122661"})
    assert TwilioCallHook("alerts").settings.default_from == "+15017122661"


def test_connection_may_be_a_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TWILIO_DEFAULT", f"twilio://{ACCOUNT}:{SECRET}@/?from=%2B15017122661")
    assert TwilioCallHook().settings.default_from == "+15017122661"


def test_missing_connection_is_named_with_three_ways_to_create_it() -> None:
    with pytest.raises(TwilioConnectionNotFoundError) as raised:
        TwilioCallHook("nowhere").client  # noqa: B018
    assert "There is no connection 'nowhere'" in str(raised.value)
    assert "Admin > Connections" in str(raised.value)
    assert "airflow connections add nowhere --conn-type twilio" in str(raised.value)
    assert "AIRFLOW_CONN_NOWHERE" in str(raised.value)


def test_missing_connection_is_not_final_since_airflow_says_so_also_while_it_is_away() -> None:
    with pytest.raises(
        TwilioConnectionNotFoundError, match="API server or secrets backend is away"
    ) as raised:
        TwilioCallHook("nowhere").settings  # noqa: B018
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{"conn_type": "twilio"', r"JSONDecodeError: Expecting ',' delimiter: line 1 column 23"),
        ('{"conn_type": "twilio", "pasword": "secret"}', "TypeError: .*'pasword'"),
        ('{"conn_type": "twilio", "login": "AC1", "password": 5}', "TypeError"),
        ("twilio://AC1:se/cret@", "ValueError|AirflowException"),
    ],
    ids=["cut", "misspelt", "number", "uri"],
)
def test_variable_that_airflow_cannot_read_is_said_so_and_is_final(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", value)
    with pytest.raises(TwilioConnectionError, match=rf"AIRFLOW_CONN_BROKEN \(({said})") as raised:
        TwilioCallHook("broken").settings  # noqa: B018
    assert isinstance(raised.value, AirflowFailException)
    assert "cret" not in str(raised.value)


def test_variable_that_is_set_to_nothing_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", "")
    with pytest.raises(TwilioConnectionNotFoundError, match="There is no connection 'broken'"):
        TwilioCallHook("broken").settings  # noqa: B018


@pytest.mark.parametrize("odd", [None, 5])
def test_connection_whose_name_is_no_text_is_not_found(odd: Any) -> None:
    with pytest.raises(TwilioConnectionNotFoundError, match="There is no connection"):
        TwilioCallHook(odd).settings  # noqa: B018


def test_wrong_connection_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, login="me")
    with pytest.raises(TwilioConnectionError, match="neither an Account SID"):
        TwilioCallHook().get_conn()


def test_unknown_extra_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, extra={"form": "+15017122661"})
    hook = TwilioCallHook()
    monkeypatch.setattr(type(hook), "log", logging.getLogger("hook"))
    hook.settings  # noqa: B018
    assert "'twilio_default' has an unknown extra 'form'" in caplog.text


def test_password_is_masked_in_logs_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk._shared.secrets_masker import redact  # where the task's log masks

    connect(monkeypatch)
    TwilioCallHook().settings  # noqa: B018
    # Other tests may have masked other words of this line.
    assert redact(f"it is {SECRET}").endswith("***")


def test_client_is_made_once_of_what_the_connection_says(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, extra={"region": "ie1", "edge": "dublin", "http_timeout": 3})
    hook = TwilioCallHook()
    assert hook.client is hook.get_conn()
    assert hook.client.base_url == "https://api.dublin.ie1.twilio.com"
    assert hook.client.account_sid == ACCOUNT
    assert hook.client.timeout == (3.0, 3.0)


def test_hook_may_work_for_a_subaccount(monkeypatch: pytest.MonkeyPatch) -> None:
    subaccount = "AC" + "5" * 32
    connect(monkeypatch)
    assert TwilioCallHook(account_sid=subaccount).client.account_sid == subaccount


def test_connection_can_be_fetched_on_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch)
    hook = TwilioCallHook()
    asyncio.run(hook.fetch_connection())
    monkeypatch.delenv("AIRFLOW_CONN_TWILIO_DEFAULT")
    assert hook.settings.login == ACCOUNT


def test_missing_connection_is_named_on_an_event_loop_as_well() -> None:
    with pytest.raises(TwilioConnectionNotFoundError, match="There is no connection 'nowhere'"):
        asyncio.run(TwilioCallHook("nowhere").fetch_connection())


# The caller ID ------------------------------------------------------------------------------------------------


def test_caller_id_of_the_connection_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, extra={"from": "+1 501 712 2661"})
    assert TwilioCallHook().with_caller_id(params()).from_ == "+15017122661"


def test_national_caller_id_of_the_connection_is_one_of_its_default_country(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch, extra={"from": "(501) 712-2661", "default_country": "US"})
    assert TwilioCallHook().with_caller_id(params()).from_ == "+15017122661"


def test_caller_id_that_is_too_short_for_the_default_country_names_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch, extra={"from": "712-2661", "default_country": "US"})
    with pytest.raises(CallParamsError, match=r"with the extra `from` of .* is too short for a number with"):
        TwilioCallHook().with_caller_id(params())


def test_caller_id_of_the_call_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, extra={"from": "+15017122661"})
    named = params(from_="+15141234567")
    assert TwilioCallHook().with_caller_id(named) is named


def test_no_caller_id_anywhere_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch)
    with pytest.raises(
        TwilioConnectionError, match="give from_, or set the extra `from` of the connection 'twilio_default'"
    ):
        TwilioCallHook().with_caller_id(params())


@pytest.mark.parametrize(
    "caller_id", ["5017122661", TO, "client:alice"], ids=["no-plus", "the-callee", "client"]
)
def test_caller_id_of_the_connection_that_does_not_fit_names_the_connection(
    monkeypatch: pytest.MonkeyPatch, caller_id: str
) -> None:
    connect(monkeypatch, extra={"from": caller_id})
    with pytest.raises(CallParamsError, match="with the extra `from` of the connection 'twilio_default': "):
        TwilioCallHook().with_caller_id(params())


def test_a_thread_that_waits_for_airflow_keeps_no_other_hook_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    # In the triggerer: to mask a secret, a thread asks the event loop, which may need the settings of another hook.
    connect(monkeypatch)
    asked, answered = threading.Event(), threading.Event()

    def mask(secret: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            asked.set()
            answered.wait(10)

    monkeypatch.setattr("airflow_provider_twiliocall.hooks.twilio_call.mask_secret", mask)
    waiting = threading.Thread(target=lambda: TwilioCallHook().settings)
    waiting.start()
    asked.wait(10)

    settings = TwilioCallHook().settings

    was_waiting = waiting.is_alive()
    answered.set()
    waiting.join()
    assert settings.login == ACCOUNT
    assert was_waiting
