"""example_dags/ and README.md: none gets in the way of another, and each shows its point at any hour."""

from __future__ import annotations

import re
import runpy
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow_provider_twiliocall.callees import CallWindow

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "example_dags").glob("*.py"))
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]


def _dag_ids(file: Path) -> list[str]:
    return re.findall(r"\bDAG\(\s*(?:dag_id=)?\"(\w+)\"", file.read_text())


def test_every_dag_of_pages_and_examples_has_an_id_of_its_own() -> None:
    dag_ids = [dag_id for file in (*PAGES, *EXAMPLES) for dag_id in _dag_ids(file)]

    assert {example.stem for example in EXAMPLES} <= set(dag_ids)
    assert sorted(dag_ids) == sorted(set(dag_ids))


def test_readme_and_examples_share_no_phone_number() -> None:
    readme, *examples = ({*re.findall(r"\+1500555\d{4}", file.read_text())} for file in (README, *EXAMPLES))

    assert readme
    assert readme & set().union(*examples) == set()


def test_local_time_reminders_ring_one_of_ann_and_bob_at_any_hour() -> None:
    example = runpy.run_path(str(ROOT / "example_dags" / "local_time_reminders.py"))
    zones = [callee["call_window"]["timezone"] for callee in example["CALLEES"][:2]]
    windows = [CallWindow(**example["HOURS"], timezone=zone) for zone in zones]

    new_year = datetime(2026, 1, 1, tzinfo=timezone.utc)
    moments = [new_year + timedelta(hours=hours) for hours in range(366 * 24)]
    assert {sum(window.is_open(at) for window in windows) for at in moments} == {1}
