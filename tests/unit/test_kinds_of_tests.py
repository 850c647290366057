"""Each kind of tests stands on its own: what several share is in ``tests/support``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
IMPORTED = re.compile(r"^\s*(?:from|import) tests\.(\w+)", re.MULTILINE)


@pytest.mark.parametrize("kind", ["unit", "integration", "e2e", "packaging", "support"])
def test_a_kind_of_tests_imports_nothing_of_another(kind: str) -> None:
    imported = {
        f"{file.relative_to(TESTS)}: {room}"
        for file in (TESTS / kind).rglob("*.py")
        for room in IMPORTED.findall(file.read_text())
        if room not in (kind, "support")
    }
    assert imported == set()
