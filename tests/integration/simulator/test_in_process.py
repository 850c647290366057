"""The simulator inside a test's own process: cheap until used, startable again, gone when stopped."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import requests

from airflow_provider_twiliocall.simulator import PortInUseError, TwilioSimulator
from tests.integration.simulator.wire import TWIML, Wire

HEAVY = "airflow fastapi requests twilio uvicorn"
WHAT_IS_LOADED = "import {module}, sys; print(sorted(set({heavy!r}.split()) & set(sys.modules)))"


@pytest.mark.parametrize(
    "module",
    ["airflow_provider_twiliocall.simulator", "airflow_provider_twiliocall.simulator.pytest_plugin"],
)
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    program = WHAT_IS_LOADED.format(module=module, heavy=HEAVY)

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"


def test_the_simulator_never_loads_airflow() -> None:
    program = WHAT_IS_LOADED.format(module="airflow_provider_twiliocall.simulator.simulator", heavy="airflow")

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"


def test_the_connection_leads_to_it(twilio_simulator: TwilioSimulator) -> None:
    connection = json.loads(twilio_simulator.airflow_connection)

    assert connection == {
        "conn_type": "twilio",
        "login": twilio_simulator.account_sid,
        "password": twilio_simulator.auth_token,
        "host": twilio_simulator.url,
        "extra": {"from": twilio_simulator.from_number},
    }


def test_a_stopped_simulator_answers_no_more_but_remembers() -> None:
    with TwilioSimulator() as simulator:
        Wire(simulator).create()
        url = simulator.url

    assert [call["status"] for call in simulator.calls] != []
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)


def test_it_starts_again_on_the_same_port() -> None:
    simulator = TwilioSimulator()
    with simulator:
        url = simulator.url
        Wire(simulator).create()
    with simulator:
        assert simulator.url == url
        assert Wire(simulator).create().status_code == 201

    assert len(simulator.calls) == 2


def test_two_simulators_do_not_share_a_port(twilio_simulator: TwilioSimulator) -> None:
    port = int(twilio_simulator.url.rpartition(":")[2])

    with pytest.raises(PortInUseError, match=f"port {port} is in use"):
        TwilioSimulator(port=port).start()


def test_the_credentials_are_the_same_at_every_start(twilio_simulator: TwilioSimulator) -> None:
    assert TwilioSimulator().auth_token == twilio_simulator.auth_token


def test_waiting_for_what_will_not_come_says_what_came_instead(
    wire: Wire, twilio_simulator: TwilioSimulator
) -> None:
    sid = wire.create(To="+15005551100", Twiml=TWIML).json()["sid"]

    with pytest.raises(TimeoutError, match=f"call {sid} is busy, not in-progress"):
        twilio_simulator.wait_for(sid, "in-progress")


@pytest.mark.parametrize("arguments", [{"speed": 0}, {"calls_per_second": 0}, {"numbers": ["12345"]}])
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        TwilioSimulator(**arguments)
