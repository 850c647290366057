"""Files and functions stay as short as a reader can take in; a file that does not says why."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import airflow_provider_twiliocall

PACKAGE = Path(airflow_provider_twiliocall.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES, MOST_LINES_OF_A_BODY = 300, 40
REASON = "Longer than 300 lines because "


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_short_or_says_why_it_is_not(path: Path) -> None:
    text = path.read_text()
    says_why = REASON in (ast.get_docstring(ast.parse(text)) or "")
    assert (len(text.splitlines()) > MOST_LINES) == says_why


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_function_is_short(path: Path) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    assert [each.name for each in functions if _lines_of_body(each) > MOST_LINES_OF_A_BODY] == []


def _lines_of_body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Signature and docstring not counted."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
