"""The callees of a campaign, row by row: of a list, or of a CSV or JSON-lines file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from airflow_provider_twiliocall.arguments.templated import is_blank
from airflow_provider_twiliocall.twilio.list_text import literal_in
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_numbers_in

# A bound on memory, and on what a typing error may cost.
MOST_ROWS = 100_000

# More would hide the first ones.
MOST_PROBLEMS = 20

_CSV, _JSON_LINES = (".csv",), (".jsonl", ".ndjson")


class RowsError(ValueError):
    """The rows cannot be dialled as they are.

    :param problems: one sentence each
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        more = len(self.problems) - MOST_PROBLEMS
        shown = [*self.problems[:MOST_PROBLEMS], *([f"and {more:,} more"] if more > 0 else [])]
        return "\n".join(f"- {problem}" for problem in shown)


@dataclass(frozen=True)
class Row:
    """One callee.

    :param number: from 1, as people count; the header of a CSV file is no row
    :param id: the author's own name for it
    :param arguments: of the call, by name, without those that are blank
    """

    __slots__ = ("arguments", "id", "number")

    number: int
    id: str | None
    arguments: Mapping[str, Any]


def read_rows(calls: Any) -> list[Row]:
    """Read the rows of a campaign.

    :param calls: dicts, or the path of a file that ends with ``.csv``, ``.jsonl`` or ``.ndjson``: of this machine, or
        a URL of object storage
    :raises RowsError: it cannot be read, names nobody, or too many; says which rows are none
    """
    rows: list[Row] = []
    problems: list[str] = []
    with _entries_of(calls) as entries:
        for number, entry in enumerate(entries, start=1):
            if number > MOST_ROWS:
                raise RowsError([f"calls has more than {MOST_ROWS:,} rows: split them over several tasks"])
            if isinstance(entry, Mapping):
                rows.append(_row(number, entry))
            else:
                problems.append(f"row {number}: {entry if isinstance(entry, _Problem) else _no_dict(entry)}")
    if problems:
        raise RowsError(problems)
    if not rows:
        raise RowsError(
            ["calls names nobody: give at least one row, and check whether the file is the right one"]
        )
    return rows


class _Problem(str):
    """What is wrong with an entry, in its place."""


def _row(number: int, entry: Mapping[Any, Any]) -> Row:
    arguments = {str(name).strip(): value for name, value in entry.items() if not is_blank(value)}
    named = arguments.pop("id", None)
    if "from" in arguments:
        arguments["from_"] = arguments.pop("from")
    return Row(number, None if named is None else str(named), arguments)


def _no_dict(entry: Any) -> str:
    return f'it is {type(entry).__name__}, not a dict: give {{"to": "+15551234567"}}'


@contextmanager
def _entries_of(calls: Any) -> Iterator[Iterable[Any]]:
    if isinstance(calls, str) and calls.lstrip().startswith(("[", "{")):
        try:
            calls = literal_in(calls)
        except ValueError as error:
            raise RowsError([f"calls: {error}"]) from None
    if isinstance(calls, str) or hasattr(calls, "open"):
        with _opened(str(calls).strip()) as entries:
            yield entries
    elif isinstance(calls, Mapping) or not isinstance(calls, Iterable):
        raise RowsError(
            [
                f"calls is {type(calls).__name__}: give a list of dicts, or the path of a CSV or JSON-lines file"
            ]
        )
    else:
        yield calls


@contextmanager
def _opened(path: str) -> Iterator[Iterable[Any]]:
    if is_blank(path):
        raise RowsError(["calls is empty: give a list of dicts, or the path of a CSV or JSON-lines file"])
    if path.lower().endswith(_CSV):
        read = _csv_entries
    elif path.lower().endswith(_JSON_LINES):
        read = _json_entries
    else:
        raise RowsError(
            [
                f"calls={redact_phone_numbers_in(repr(path)):.200} is not a path that ends with .csv, .jsonl or .ndjson"
            ]
        )
    from airflow.sdk import ObjectStoragePath

    try:
        # Spreadsheets begin a file with a byte order mark.
        opened = ObjectStoragePath(path).open("r", encoding="utf-8-sig", newline="")  # type: ignore[no-untyped-call]
        with opened as file:
            yield read(file)
    except RowsError:
        raise
    except (OSError, UnicodeDecodeError, ImportError, ValueError, csv.Error) as error:
        raise RowsError([f"the file of calls {path!r} cannot be read: {error}"]) from error


def _csv_entries(file: IO[str]) -> Iterator[Any]:
    reader = csv.reader(file, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if "to" not in header:
        # Not the cells themselves: in a file without a header they are the first callee.
        raise RowsError(
            [
                "the first line of the CSV file must name its columns, with commas between them, and none of its "
                f"{len(header)} cells is `to`: add a line such as `id,to` at the top, or rename the column of numbers"
            ]
        )
    if twice := {name for name in header if header.count(name) > 1}:
        raise RowsError([f"the CSV file has a column twice: {', '.join(sorted(twice))}"])
    for cells in reader:
        if len(cells) > len(header):
            yield _Problem(
                f"it has {len(cells)} cells, and the header {len(header)}: quote a cell with a comma in it"
            )
        elif any(cell.strip() for cell in cells):
            yield dict(zip(header, cells, strict=False))


def _json_entries(file: IO[str]) -> Iterator[Any]:
    for line in file:
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except ValueError as error:
            yield _Problem(f"it is not JSON: {error}")
