"""Callbacks in Airflow's own processes: the plugin is mounted, wakes a task whose call is over, and takes keys."""

from __future__ import annotations

from collections.abc import Callable

import requests

from airflow_provider_twiliocall.plugins.routes import CHECK_BODY
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.e2e.airflow_processes import Airflow, Run

TIMEOUT_S = 30


def test_the_receiver_is_mounted(airflow: Airflow) -> None:
    assert requests.get(f"{airflow.url}/twilio-call/check", timeout=TIMEOUT_S).text == CHECK_BODY


def test_a_task_is_woken_when_its_call_is_over(runs: dict[str, Run], simulator: TwilioSimulator) -> None:
    run = runs["called_back"]
    assert run.state == "success"
    [call] = [call for call in simulator.calls if call["to"] == "+15005552501"]
    assert call["status"] == "completed"
    assert run.xcom("ring") == run.xcom("ring", "call_woken") == call["sid"]
    log = run.log("ring")
    assert "is over, as Twilio has said: its task was woken" in log
    assert "was killed" not in log


def test_twilio_is_asked_next_to_nothing(runs: dict[str, Run], simulator: TwilioSimulator) -> None:
    assert runs["called_back"].state == "success"
    [call] = [call for call in simulator.calls if call["to"] == "+15005552501"]
    looks = [each for each in simulator.requests if each.operation == "get" and each.call_sid == call["sid"]]
    # Before it defers, in the triggerer, and when it was woken.
    assert len(looks) <= 3


def test_a_pressed_key_is_the_answer_of_the_task(runs: dict[str, Run], dialled: Callable[[str], int]) -> None:
    run = runs["called_back"]
    answers = {waits: run.xcom(f"ask_{waits}", "answer") for waits in ("on_a_worker", "deferred")}
    assert {waits: (answer["key"], answer["option"]) for waits, answer in answers.items()} == {
        "on_a_worker": ("2", "call me later"),
        "deferred": ("1", "confirm"),
    }
    assert dialled("+15005552502") == dialled("+15005552503") == 1


def test_what_nobody_has_signed_is_refused(airflow: Airflow) -> None:
    url = f"{airflow.url}/twilio-call/status/dHdpbGlvX2RlZmF1bHQ/x/y"
    assert requests.post(url, {"CallSid": "CA1"}, timeout=TIMEOUT_S).status_code == 403
