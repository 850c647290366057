"""Reading the rows of a campaign, of lists and files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_twiliocall.campaigns import rows as rows_module
from airflow_provider_twiliocall.campaigns.rows import RowsError, read_rows

ANN, BOB = "+15551230001", "+15551230002"


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_bytes(text.encode())
    return str(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", f"to,id,message\n{ANN},ann,hello\n\n{BOB},,\n"),
        ("a.csv", f"\ufeffto , id,message\r\n{ANN},ann,hello\r\n{BOB},,\r\n"),
        ("a.CSV", f'to,id,message\n"{ANN}",ann,hello\n{BOB}\n'),
        (
            "a.jsonl",
            f'{{"to": "{ANN}", "id": "ann", "message": "hello"}}\n\n{{"to": "{BOB}", "message": null}}\n',
        ),
        ("a.ndjson", f'{{"to": "{ANN}", "id": "ann", "message": "hello"}}\n{{"to": "{BOB}"}}'),
    ],
)
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_files_of_both_kinds_are_read(tmp_path: Path, name: str, text: str, scheme: str) -> None:
    ann, bob = read_rows(scheme + write(tmp_path, name, text))
    assert (ann.number, ann.id, dict(ann.arguments)) == (1, "ann", {"to": ANN, "message": "hello"})
    assert (bob.number, bob.id, dict(bob.arguments)) == (2, None, {"to": BOB})


@pytest.mark.parametrize(
    "calls",
    [
        [{"to": ANN, "from": BOB}],
        ({"to": ANN, "from_": BOB},),
        iter([{"to": ANN, "from": BOB}]),
        json.dumps([{"to": ANN, "from": BOB}]),
        str([{"to": ANN, "from": BOB}]),
    ],
)
def test_lists_are_read_also_as_text(calls: Any) -> None:
    (row,) = read_rows(calls)
    assert row.arguments == {"to": ANN, "from_": BOB}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "", "must name its columns"),
        ("a.csv", f"to;id\n{ANN};ann\n", "must name its columns, with commas.*none of its 1 cells is `to`"),
        ("a.csv", f"to,id,id\n{ANN},a,b\n", "a column twice: id"),
        ("a.csv", f"to,message\n{ANN},Hello, Ann\n", "row 1: it has 3 cells, and the header 2"),
        ("a.csv", "to,id\n", "calls names nobody"),
        ("a.csv", 'to\n"+1555', "cannot be read"),
        ("a.jsonl", f'{{"to": "{ANN}"}}\n{{"to": \n', "row 2: it is not JSON"),
        ("a.jsonl", f'{{"to": "{ANN}"}}\n["{BOB}"]\n', "row 2: it is list, not a dict"),
        ("a.xlsx", "", "not a path that ends with .csv"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_row(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    with pytest.raises(RowsError) as refused:
        read_rows(write(tmp_path, name, text))
    assert re.search(told, str(refused.value))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"to\n\xff\xfe\n")
    with pytest.raises(RowsError, match="cannot be read"):
        read_rows(str(tmp_path / "a.csv"))


def test_more_rows_than_a_campaign_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MOST_ROWS", 2)
    with pytest.raises(RowsError, match="more than 2 rows"):
        read_rows([{"to": ANN}] * 3)


def test_of_many_problems_the_first_are_told_and_the_others_counted() -> None:
    with pytest.raises(RowsError) as refused:
        read_rows(["x"] * 1_025)
    lines = str(refused.value).splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("- row 1:")
    assert lines[-1] == "- and 1,005 more"
