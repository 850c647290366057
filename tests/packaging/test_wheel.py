"""The wheel as a user gets it: built, installed into an empty environment, and seen by Airflow there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

pytestmark = pytest.mark.allow_network

REPOSITORY = Path(__file__).parents[2]
DISTRIBUTION = "airflow-provider-twiliocall"
PACKAGE = "airflow_provider_twiliocall"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        find_uv_bin(),
        "build",
        "--wheel",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--out-dir",
        folder,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def contents(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


@pytest.fixture(scope="session")
def in_empty_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run one of the commands of an environment that has nothing but the wheel and what it depends on."""
    environment = tmp_path_factory.mktemp("environment")
    home = tmp_path_factory.mktemp("airflow_home")
    uv = find_uv_bin()
    _run(uv, "venv", "--python", sys.executable, environment)
    pins = ("--constraint", REPOSITORY / "requirements.lock")
    _run(uv, "pip", "install", "--python", environment / "bin" / "python", *pins, wheel)

    def run(command: str, *arguments: str) -> str:
        return _run(
            environment / "bin" / command, *arguments, cwd=home, env={**os.environ, "AIRFLOW_HOME": str(home)}
        )

    return run


@pytest.fixture(scope="session")
def provider(in_empty_environment: Callable[..., str]) -> dict[str, Any]:
    printed = in_empty_environment("airflow", "providers", "get", DISTRIBUTION, "--full", "--output", "json")
    return _json_in(printed)[0]


def test_wheel_says_that_it_is_typed(contents: list[str]) -> None:
    assert f"{PACKAGE}/py.typed" in contents


def test_wheel_carries_its_licence(contents: list[str], metadata: Message) -> None:
    assert [name for name in contents if name.endswith("/licenses/LICENSE")]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]


def test_wheel_has_the_package_and_nothing_else(contents: list[str]) -> None:
    assert {name.partition("/")[0].partition("-")[0] for name in contents} == {PACKAGE}
    assert not [name for name in contents if "/test" in name]


def test_wheel_has_every_module_of_the_package(contents: list[str]) -> None:
    modules = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / PACKAGE).rglob("*.py")}
    assert {name for name in contents if name.endswith(".py")} == modules


def test_wheel_asks_for_what_is_imported_and_besides_phonenumbers_for_what_airflow_brings(
    metadata: Message,
) -> None:
    required = [line for line in metadata.get_all("Requires-Dist") or [] if "extra ==" not in line]
    assert sorted(line.partition(">")[0] for line in required) == [
        "apache-airflow",
        "apache-airflow-providers-common-compat",
        "apache-airflow-providers-standard",
        "pendulum",
        "phonenumbers",
        "pydantic",
        "requests",
        "urllib3",
    ]
    assert metadata["Requires-Python"] == ">=3.10"


def test_airflow_lists_the_provider(in_empty_environment: Callable[..., str]) -> None:
    listed = _json_in(in_empty_environment("airflow", "providers", "list", "--output", "json"))
    assert DISTRIBUTION in [row["package_name"] for row in listed]


@pytest.mark.parametrize(
    ("kind", "modules"),
    [
        ("hooks", ["twilio_call"]),
        ("operators", ["call_campaign", "escalate_call", "twilio_call"]),
        ("sensors", ["twilio_call"]),
        ("triggers", ["call_campaign", "twilio_call"]),
    ],
)
def test_airflow_finds_the_modules_of_each_kind(
    provider: dict[str, Any], kind: str, modules: list[str]
) -> None:
    assert provider[kind] == [
        {
            "integration-name": "Twilio Call",
            "python-modules": [f"{PACKAGE}.{kind}.{module}" for module in modules],
        }
    ]


def test_airflow_can_import_the_hook_of_the_connection_type(in_empty_environment: Callable[..., str]) -> None:
    hooks = _json_in(in_empty_environment("airflow", "providers", "hooks", "--output", "json"))
    (twilio,) = [hook for hook in hooks if hook["connection_type"] == "twilio"]
    assert twilio == {
        "connection_type": "twilio",
        "class": f"{PACKAGE}.hooks.twilio_call.TwilioCallHook",
        "conn_id_attribute_name": "twilio_conn_id",
        "package_name": DISTRIBUTION,
        "hook_name": "Twilio",
    }


def test_airflow_lists_the_notifier(in_empty_environment: Callable[..., str]) -> None:
    listed = _json_in(in_empty_environment("airflow", "providers", "notifications", "--output", "json"))
    notifier = f"{PACKAGE}.notifications.twilio_call.TwilioCallNotifier"
    assert notifier in [row["notification_class_name"] for row in listed]


def test_everything_named_can_be_imported_there(in_empty_environment: Callable[..., str]) -> None:
    in_empty_environment(
        "python",
        "-c",
        "from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook\n"
        "from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier\n"
        "from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator\n"
        "from airflow_provider_twiliocall.sensors.twilio_call import TwilioCallSensor\n"
        "from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger\n"
        "from airflow_provider_twiliocall.simulator import TwilioSimulator\n",
    )


def _run(*command: str | Path, **how: Any) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=how.pop("cwd", REPOSITORY), capture_output=True, text=True, **how
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _json_in(printed: str) -> list[dict[str, Any]]:
    """Return what a command printed with ``--output json``, log lines before it left aside."""
    (line,) = [line for line in printed.splitlines() if line.startswith("[{")]
    rows: list[dict[str, Any]] = json.loads(line)
    return rows
