"""What the repository itself promises to those who install from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LOCKS = sorted(
    path.relative_to(REPOSITORY)
    for path in REPOSITORY.glob("**/*.lock")
    if not path.relative_to(REPOSITORY).parts[0].startswith(".")
)


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_lock_names_no_place_that_packages_come_from(lock: Path) -> None:
    assert "//" not in (REPOSITORY / lock).read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_lock_pins_every_package_by_version_and_hash(lock: Path) -> None:
    requirements = re.split(r"\n(?=\S)", (REPOSITORY / lock).read_text())
    pinned = [entry for entry in requirements if not entry.startswith("#")]
    assert pinned
    assert not [
        entry for entry in pinned if not re.match(r"\S+==\S+ .*\n    --hash=sha256:", entry + "\n", re.DOTALL)
    ]


def test_changelog_has_an_entry_for_this_version() -> None:
    from airflow_provider_twiliocall import __version__

    assert f"## [{__version__}]" in (REPOSITORY / "CHANGELOG.md").read_text()
