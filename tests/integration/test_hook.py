"""The hook against the simulator: an Airflow connection is all it needs."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.twilio.call import CallStatus
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.integration.scripted_server import ScriptedServer, answer

VARIABLE = "AIRFLOW_CONN_TWILIO_DEFAULT"
TALKS_LONG = "+15005551003"
CALL = CreateCallParams(to=TALKS_LONG, twiml="<Response/>")


@pytest.fixture
def hook(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> TwilioCallHook:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    return TwilioCallHook()


def changed(twilio_simulator: TwilioSimulator, **changes: Any) -> str:
    return json.dumps(json.loads(twilio_simulator.airflow_connection) | changes)


def test_printed_connection_is_all_a_call_needs(
    hook: TwilioCallHook, twilio_simulator: TwilioSimulator
) -> None:
    call = hook.create_call(CALL)
    assert call.from_ == twilio_simulator.from_number
    assert hook.get_call(call.sid).sid == call.sid
    assert [listed.sid for listed in hook.list_calls(to=TALKS_LONG)] == [call.sid]


def test_call_is_changed_and_hung_up(hook: TwilioCallHook, twilio_simulator: TwilioSimulator) -> None:
    call = hook.create_call(CALL)
    twilio_simulator.wait_for(call.sid, "in-progress")
    assert hook.update_call(call.sid, twiml="<Response><Pause/></Response>").sid == call.sid
    assert hook.cancel_call(call.sid).status is CallStatus.IN_PROGRESS
    assert hook.hang_up(call.sid).status is CallStatus.COMPLETED


@pytest.mark.parametrize("sid", [None, "", "CAxx", "SM" + "1" * 32, "../Calls/CA" + "1" * 32])
@pytest.mark.parametrize("method", ["get_call", "hang_up", "cancel_call", "update_call"])
def test_what_is_no_sid_is_refused_and_twilio_is_not_asked(
    hook: TwilioCallHook, twilio_simulator: TwilioSimulator, method: str, sid: Any
) -> None:
    with pytest.raises(ValueError, match="is not the SID of a call: give CA and 32 hexadecimal digits"):
        getattr(hook, method)(sid)
    assert twilio_simulator.requests == []


def test_a_dict_is_no_parameters_of_a_call(hook: TwilioCallHook) -> None:
    with pytest.raises(TypeError, match=r"params is dict: give CreateCallParams\(to="):
        hook.create_call({"to": TALKS_LONG})  # type: ignore[arg-type]


def test_user_agent_names_the_airflow_that_runs(
    hook: TwilioCallHook, twilio_simulator: TwilioSimulator
) -> None:
    hook.create_call(CALL)
    (request,) = twilio_simulator.requests
    assert f" apache-airflow/{airflow_version} " in request.headers["user-agent"]


def test_api_key_is_a_login(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"account_sid": twilio_simulator.account_sid, "from": twilio_simulator.from_number}
    login = {"login": twilio_simulator.api_key_sid, "password": twilio_simulator.api_key_secret}
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, extra=extra, **login))
    assert TwilioCallHook().create_call(CALL).account_sid == twilio_simulator.account_sid


# test_connection ----------------------------------------------------------------------------------------------


def test_good_connection_says_which_account_it_reached(
    hook: TwilioCallHook, twilio_simulator: TwilioSimulator
) -> None:
    assert hook.test_connection() == (
        True,
        f"Reached Full account 'Simulated account' ({twilio_simulator.account_sid}), status active",
    )


def test_connection_without_a_caller_id_is_good_and_says_what_that_means(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, extra={}))
    good, said = TwilioCallHook().test_connection()
    assert good
    assert said.endswith("No extra `from` is set: every call has to name its from_")


def test_wrong_token_says_which_fields_to_check(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, password="wrong"))
    good, said = TwilioCallHook().test_connection()
    assert not good
    assert "code 20003" in said
    assert "Check login (Account SID or API key SID) and password" in said


def test_unreachable_host_is_named(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, host="http://127.0.0.1:1", extra={}))
    monkeypatch.setattr("airflow_provider_twiliocall.twilio.transport.READ_RETRY.total", 0)
    good, said = TwilioCallHook().test_connection()
    assert not good
    assert said.startswith("No connection to 127.0.0.1:1: ")


@pytest.mark.parametrize("status", ["suspended", "closed"])
def test_account_that_cannot_call_is_no_good_connection(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    account = {"friendly_name": "Ours", "status": status, "type": "Full"}
    with ScriptedServer(answer(200, account)) as server:
        monkeypatch.setenv(VARIABLE, changed(twilio_simulator, host=server.url))
        good, said = TwilioCallHook().test_connection()
    assert not good
    assert f"Reached Full account 'Ours' ({twilio_simulator.account_sid}), status {status}" in said
    assert "cannot place calls" in said


def test_host_that_is_not_twilio_is_no_good_connection(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(answer(200, "<html>Welcome</html>")) as server:
        monkeypatch.setenv(VARIABLE, changed(twilio_simulator, host=server.url))
        good, said = TwilioCallHook().test_connection()
    assert not good
    assert "could not be read (text/html" in said


def test_missing_connection_is_said_rather_than_raised() -> None:
    good, said = TwilioCallHook("nowhere").test_connection()
    assert not good
    assert "There is no connection 'nowhere'" in said


def test_wrong_connection_is_said_rather_than_raised(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, login="me"))
    good, said = TwilioCallHook().test_connection()
    assert not good
    assert "neither an Account SID" in said


def test_what_is_likely_not_meant_is_said_by_the_test_and_the_log_and_does_no_harm(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    password = json.loads(twilio_simulator.airflow_connection)["password"]
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, password=f"{password}\n"))
    hook = TwilioCallHook()
    monkeypatch.setattr(type(hook), "log", logging.getLogger("hook"))

    good, said = hook.test_connection()
    hook.get_conn()

    warning = "has a blank or a line end before or after its password, which is left out: store the password without"
    assert good
    assert said.endswith(f"status active. The connection {warning}")
    assert caplog.messages.count(f"The connection 'twilio_default' {warning}.") == 1


def test_a_page_that_is_not_found_elsewhere_is_said(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(answer(404, "<html>Not here</html>")) as server:
        monkeypatch.setenv(VARIABLE, changed(twilio_simulator, host=f"{server.url}/gateway"))
        good, said = TwilioCallHook().test_connection()

    assert not good
    assert "may not be Twilio's API: check the connection's host, and its path" in said
