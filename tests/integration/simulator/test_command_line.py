"""The command line: one line to paste, a server behind it, and a quiet end."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from airflow_provider_twiliocall.simulator import TwilioSimulator

COMMAND = [sys.executable, "-m", "airflow_provider_twiliocall.simulator"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, "--port", "0", "--speed", "10", "--own", "+14155551234"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_the_connection_serves_it_and_ends_quietly(
    process: subprocess.Popen[str], ending: signal.Signals
) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    name, _, value = process.stdout.readline().partition("=")
    connection = json.loads(shlex.split(value)[0])
    answer = requests.get(
        f"{connection['host']}/2010-04-01/Accounts/{connection['login']}/IncomingPhoneNumbers.json",
        auth=(connection["login"], connection["password"]),
        timeout=10,
    )
    process.send_signal(ending)
    status = process.wait(timeout=10)

    assert name == "AIRFLOW_CONN_TWILIO_DEFAULT"
    assert connection["conn_type"] == "twilio"
    assert [number["phone_number"] for number in answer.json()["incoming_phone_numbers"]] == [
        connection["extra"]["from"],
        "+14155551234",
    ]
    assert status == 0
    assert process.stdout.read() == ""
    assert process.stderr.read() == f"Twilio simulator on {connection['host']} at speed 10; Ctrl-C ends it.\n"


def test_the_line_can_be_exported_as_it_is(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    shell = f'export {line}\nprintf %s "$AIRFLOW_CONN_TWILIO_DEFAULT"'

    exported = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout

    assert json.loads(exported)["conn_type"] == "twilio"


def test_a_port_in_use_is_one_sentence(twilio_simulator: TwilioSimulator) -> None:
    port = twilio_simulator.url.rpartition(":")[2]

    ended = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=30)

    assert ended.returncode == 1
    assert ended.stderr == f"port {port} is in use: choose another one, or 0 for a free one\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--speed", "0"], "0 is not a number above 0"),
        (["--port", "70000"], "70000 is not from 0 to 65535"),
        (["--port", "0", "--own", "5551234"], "'5551234' is not E.164"),
    ],
)
def test_a_wrong_option_is_said_so(options: list[str], words: str) -> None:
    ended = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30)

    assert ended.returncode != 0
    assert words in ended.stderr
