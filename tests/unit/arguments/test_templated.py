"""What templates leave behind: nothing, text of a list, or themselves."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import StrictUndefined, UndefinedError
from jinja2.nativetypes import NativeEnvironment

from airflow_provider_twiliocall.arguments.templated import (
    RendersText,
    entries_in,
    is_blank,
    is_template,
)
from airflow_provider_twiliocall.callees.contact import Contact

ONE, TWO = "+15551234567", "+15551234568"


@pytest.mark.parametrize("value", ["{{ number }}", "a {% if b %}c{% endif %}", SimpleNamespace(resolve=None)])
def test_what_airflow_has_yet_to_fill_in_is_a_template(value: Any) -> None:
    assert is_template(value)


@pytest.mark.parametrize("value", [ONE, "{'to': 1}", None, 5, [ONE]])
def test_anything_else_is_none(value: Any) -> None:
    assert not is_template(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        ("", True),
        (" ", True),
        ("None", True),
        (" None ", True),
        (0, False),
        (False, False),
        ("0", False),
    ],
)
def test_nothing_is_also_what_a_template_makes_of_a_missing_value(value: Any, expected: bool) -> None:
    assert is_blank(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([ONE, None, TWO, "None"], [ONE, TWO]),
        (f"['{ONE}', '{TWO}']", [ONE, TWO]),
        (f"{ONE}, {TWO}\n", [ONE, TWO]),
        (f"{ONE};\r\n{TWO}；{ONE}", [ONE, TWO, ONE]),
        (f"{ONE} {TWO} sip:a@b tel:{ONE}", [ONE, TWO, "sip:a@b", f"tel:{ONE}"]),
        ("sip:a@b;transport=tcp", ["sip:a@b;transport=tcp"]),
        (f"sip:a@b; transport=tls;lr; {ONE};client:c", ["sip:a@b; transport=tls;lr", ONE, "client:c"]),
        ("<sip:a@b;user=phone>;tag=1,client:c?x=1", ["<sip:a@b;user=phone>;tag=1", "client:c?x=1"]),
        ({TWO, ONE}, [ONE, TWO]),
        (ONE, [ONE]),
        ({"to": ONE}, [{"to": ONE}]),
        (f'{{"to": "{ONE}"}}', [{"to": ONE}]),
        ("(+1) 555 1234567", ["(+1) 555 1234567"]),
        ("{{ numbers }}, {{ more }}", ["{{ numbers }}, {{ more }}"]),
        (5551234567, [5551234567]),
        (None, []),
        ("", []),
    ],
)
def test_a_list_is_read_from_whatever_it_has_become(value: Any, expected: list[Any]) -> None:
    assert entries_in(value) == expected


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        (ONE, ONE),
        ("{{ one }}", ONE),
        ("{{ 404 }}", "404"),
        ("{{ true }}", "True"),
        ("{{ nothing }}", "None"),
        ("{{ day }}", "2026-11-25"),
        ("{{ many }}", [ONE, TWO]),
        ("{{ {'to': one} }}", {"to": ONE}),
        ("{{ ann }}", Contact("Ann", ONE)),
        ("call {{ many }}", f"call {[ONE, TWO]}"),
    ],
)
def test_a_native_template_gives_text_or_the_one_collection_it_is_for(template: str, rendered: Any) -> None:
    given = {
        "one": ONE,
        "many": [ONE, TWO],
        "nothing": None,
        "day": date(2026, 11, 25),
        "ann": Contact("Ann", ONE),
    }
    assert RendersText()._render(NativeEnvironment().from_string(template), given) == rendered


def test_a_variable_that_is_not_there_fails_as_undefined() -> None:
    template = NativeEnvironment(undefined=StrictUndefined).from_string("{{ missing }}")
    with pytest.raises(UndefinedError, match="'missing' is undefined"):
        RendersText()._render(template, {})
