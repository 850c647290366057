"""The results of a campaign as files: one row for each call, in parts, since object storage takes whole files only."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.exceptions import TwilioCallRefusedError

if TYPE_CHECKING:
    from airflow_provider_twiliocall.campaigns.campaign_calls import CampaignCalls
    from airflow_provider_twiliocall.campaigns.results import CampaignResults

ROWS_OF_A_PART = 1_000

COLUMNS = (
    "row",
    "id",
    "call_sid",
    "status",
    "answered_by",
    "duration",
    "price",
    "price_unit",
    "dials",
    "to",
)
"""What there is of each row. ``to`` is cut to its last four digits, ``duration`` is in seconds."""


def check_writable(path: str, *, may_replace: bool) -> None:
    """See that results can be written there.

    :param may_replace: whether results that are there already may be written over
    :raises TwilioCallRefusedError: says why not; nobody was dialled
    """
    from airflow.sdk import ObjectStoragePath

    results = ObjectStoragePath(path.strip())
    probe = results.with_name(f"{results.stem}-check{results.suffix}")
    first = _part_of(results, 0)
    try:
        results.parent.mkdir(parents=True, exist_ok=True)
        probe.write_text("", encoding="utf-8")
        probe.unlink()
        is_taken = first.exists() and not may_replace
    except Exception as error:
        raise TwilioCallRefusedError(
            f"Nobody was dialled: results_path={path!r} cannot be written ({error}). Create the folder, or give the "
            "task the right to write there"
        ) from error
    if is_taken:
        raise TwilioCallRefusedError(
            f"Nobody was dialled: {first} exists already, and would be written over. Give each run a path of its own, "
            "such as results_path='…/{{ run_id }}/results.csv', or move the file away, and clear the task"
        )


def _part_of(path: Any, number: int) -> Any:
    return path.with_name(f"{path.stem}-{number:05}{path.suffix}")


class ResultFiles:
    """Part files, each with the results of a thousand rows: ``results.csv`` becomes ``results-00000.csv`` and so on.

    A part is written when all its rows are final, and again by a later try, with the same content.

    :param path: of this machine, or a URL of object storage; it ends with ``.csv`` or ``.jsonl``
    """

    def __init__(self, path: str, calls: CampaignCalls, results: CampaignResults) -> None:
        from airflow.sdk import ObjectStoragePath

        self._path = ObjectStoragePath(path.strip())
        self._calls = calls
        self._results = results
        self._written = 0

    @property
    def parts(self) -> list[range]:
        """The indices of the rows of each part."""
        rows = len(self._calls)
        return [range(first, min(first + ROWS_OF_A_PART, rows)) for first in range(0, rows, ROWS_OF_A_PART)]

    def write_final_parts(self) -> None:
        """Write the parts that are next, as far as all their rows are final."""
        while self._written < len(self.parts) and self._results.are_final(self.parts[self._written]):
            self._write(self._written)
            self._written += 1

    def name_of(self, part: int) -> str:
        """Return the path of a part."""
        return str(self._part(part))

    def _part(self, part: int) -> Any:
        return _part_of(self._path, part)

    def _write(self, part: int) -> None:
        rows = [self._row(index) for index in self.parts[part]]
        text = _as_csv(rows) if self._path.suffix == ".csv" else _as_json_lines(rows)
        self._part(part).write_text(text, encoding="utf-8")

    def _row(self, index: int) -> dict[str, Any]:
        row, result = self._calls.row(index), self._results[index]
        told = {name: getattr(result, name, None) for name in COLUMNS}
        return told | {"row": row.number, "id": row.id, "status": result.reason.value}


def _as_csv(rows: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _as_json_lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)
