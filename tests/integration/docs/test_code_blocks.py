"""README.md and docs/: every Python block runs, every command exists, every table and link is complete."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from airflow.cli.cli_parser import get_parser
from airflow.sdk import DAG, Connection

from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.arguments.call_params import params_from_arguments
from airflow_provider_twiliocall.hooks.connection_form import CONN_FIELDS
from airflow_provider_twiliocall.hooks.connection_settings import ConnectionSettings
from airflow_provider_twiliocall.notifications.twilio_call import TwilioCallNotifier
from airflow_provider_twiliocall.operators.escalate_call import EscalateCallOperator
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.simulator.__main__ import command_line as simulator_command_line

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _blocks(language: str) -> list[Any]:
    return [
        pytest.param(found[1], id=f"{page.name}:{text[: found.start()].count(chr(10)) + 1}")
        for page in PAGES
        for text in [page.read_text()]
        for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]


def _commands() -> Iterator[Any]:
    for block in _blocks("bash"):
        # A quoted JSON text over several lines is one word of one command.
        text = re.sub(r"'\{\n[^']*'", lambda found: found[0].replace("\n", ""), block.values[0])
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            # What a pipe leads to is a command of its own.
            for is_pipe, command in groupby(words, "|".__eq__):
                if not is_pipe:
                    words = list(command)
                    yield pytest.param(words, id=f"{block.id} {' '.join(words)[:40]}")


@pytest.fixture
def default_connection(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> TwilioSimulator:
    monkeypatch.setenv("AIRFLOW_CONN_TWILIO_DEFAULT", twilio_simulator.airflow_connection)
    return twilio_simulator


@pytest.mark.parametrize("block", _blocks("python"))
def test_a_python_block_runs(
    block: str, default_connection: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that a DAG without "as dag" is found too.
    block, wants_a_dag = re.subn(r"^(with DAG\(.*\)):$", r"\1 as dag:", block, flags=re.MULTILINE)
    names: dict[str, Any] = {}

    exec(compile(block, "block", "exec"), names)

    assert isinstance(names.get("dag"), DAG) is bool(wants_a_dag)
    for task in names["dag"].tasks if wants_a_dag else ():
        _check_arguments(task)
    given = {"twilio_simulator": default_connection, "monkeypatch": monkeypatch}
    for test in [value for name, value in names.items() if name.startswith("test_")]:
        test(**{argument: given[argument] for argument in inspect.signature(test).parameters})


def _check_arguments(task: Any) -> None:
    if isinstance(task, CreateCallOperator):
        fields = {name: getattr(task, name) for name in CREATE_CALL_FIELDS}
        said = {name: getattr(task, name) for name in SPEECH_FIELDS}
        params_from_arguments(fields, said, accept_answered_by=task.accept_answered_by)


@pytest.mark.parametrize("words", list(_commands()))
def test_a_command_exists(words: list[str]) -> None:
    program, *arguments = words

    if program == "make":
        assert re.search(rf"^{arguments[0]}: ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif program == "airflow":
        get_parser().parse_args(arguments)
    elif program == "python":
        assert arguments[:2] == ["-m", "airflow_provider_twiliocall.simulator"]
        simulator_command_line().parse_args(arguments[2:])
    elif program == "pip":
        name, _, extra = arguments[1].rstrip("]").partition("[")
        assert (arguments[0], name) in {("install", "."), ("install", "airflow-provider-twiliocall")}
        assert not extra or f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text()
    else:
        assert program in ("export", "curl", "source", "grep", "xargs") or "=" in program


def _connections() -> Iterator[Any]:
    for page in PAGES:
        texts = re.findall(r"(?:--conn-json |AIRFLOW_CONN_\w+=)'(\{[^']*\})'", page.read_text())
        texts += re.findall(r"^```json\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
        for text in texts:
            yield pytest.param(text, id=f"{page.name} {text.replace(chr(10), '')[:50]}")


@pytest.mark.parametrize("text", list(_connections()))
def test_a_connection_can_be_used(text: str) -> None:
    # An example of what the simulator prints shows no credentials.
    text = text.replace('"AC…"', f'"AC{32 * "0"}"')

    connection = Connection.from_json(text, conn_id="twilio_default")

    assert connection.conn_type == "twilio"
    assert ConnectionSettings.of(connection).default_from
    assert ConnectionSettings.unknown_extras(connection) == []


@pytest.mark.parametrize("taker", [CreateCallOperator, EscalateCallOperator, TwilioCallNotifier])
def test_the_page_of_arguments_names_every_one_once(taker: type) -> None:
    sections = (ROOT / "docs" / "arguments.md").read_text().split("\n## ")
    tables = [part for part in sections if part.startswith(("Of a call", f"Of `{taker.__name__}`"))]
    named = re.findall(r"^\| `(\w+)`", "\n".join(tables), re.MULTILINE)

    arguments = [name for name in inspect.signature(taker).parameters if name not in ("arguments", "context")]

    assert sorted(named) == sorted(arguments)


def test_the_page_on_the_connection_names_every_extra() -> None:
    page = (ROOT / "docs" / "connection.md").read_text()

    assert set(re.findall(r"^\| extra `(\w+)`", page, re.MULTILINE)) == set(CONN_FIELDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        name, _, heading = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not heading or heading in _headings(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_to_a_page_is_called_as_the_page_is(page: Path) -> None:
    for text, name in re.findall(r"\[([^`\]]+)\]\(([\w./-]+\.md)\)", page.read_text()):
        title = (page.parent / name).read_text().partition("\n")[0].removeprefix("# ")
        assert text == title


def _headings(page: Path) -> list[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles]
