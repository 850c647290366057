"""Who must not be rung is found in the list however it is written, and a list that cannot be compared is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import is_valid_number, parse

from airflow_provider_twiliocall.callees.do_not_call import DoNotCallList
from tests.unit.examples import e164, reproducible

MARIE, JOHN = "+33612345678", "+15005551000"


@pytest.mark.parametrize(
    "value",
    [
        [MARIE, JOHN],
        ("+33 6 12-34 56 78", "+1 (500) 555-1000"),
        {MARIE, JOHN},
        f"{MARIE},{JOHN}",
        f"{MARIE};{JOHN};",
        f"{MARIE} {JOHN}",
        "+33 6 12-34 56 78 +1 (500) 555-1000",
        "+33 6 12-34 56 78\r\n\r\n\t+1.500.555.1000\n",
        "+33\u00a06\u00a012\u00a034\u00a056\u00a078,\u200e+1 500 555 1000",
        f'["{MARIE}", "{JOHN}"]',
        f"['{MARIE}', '{JOHN}']",
        f"('{MARIE}', '{JOHN}')",
        [MARIE, "", JOHN, "  "],
    ],
)
def test_a_list_is_read_however_it_is_written(value: Any) -> None:
    listed = DoNotCallList.from_value(value)
    assert listed.numbers == {MARIE, JOHN}
    assert listed.is_listed("+33 6 12 34 56 78")
    assert listed.is_listed(JOHN)
    assert not listed.is_listed("+15005551001")
    assert len(listed) == 2


@pytest.mark.parametrize("value", [None, "", " \n", [], (), "[]"])
def test_an_empty_list_holds_nobody(value: Any) -> None:
    assert len(DoNotCallList.from_value(value)) == 0
    assert not DoNotCallList.from_value(value).is_listed(MARIE)


def test_a_list_that_was_read_is_taken_as_it_is() -> None:
    listed = DoNotCallList([MARIE])
    assert DoNotCallList.from_value(listed) is listed


def test_an_empty_list_that_was_read_is_taken_as_it_is() -> None:
    listed = DoNotCallList()
    assert DoNotCallList.from_value(listed) is listed


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("(500) 555-1000", "entry 1: '(500) 555-1000' is not E.164: start with + and the country code"),
        (f"{MARIE}\n(500) 555-1000", "entry 2: '(500) 555-1000' is not E.164"),
        ("0033612345678", "entry 1: '0********5678' starts with 00"),
        (f"{MARIE} 500 555 1000 123", "digits and E.164 allows 15: is it two numbers in one?"),
        (f"{MARIE} Marie", "has letters"),
        ("None", "entry 1: 'None' has"),
        (["+15005550006.0"], "entry 1: '+1*******006.0' has decimals"),
        (["+15005550006 (12)"], "ends with an extension"),
        (["+33 06 12 34 56 7"], "is too short for a number with the country code +33"),
        (["+1 1 500 555 000"], "is too short for a number with the country code +1"),
        ([33612345678], "is not text: give the number as a string"),
        ([None], "None is not text"),
        ("[33612345678]", "is not text"),
        (33612345678, "do_not_call is int: give a list of numbers, or text with commas"),
        ({MARIE: "Marie"}, "do_not_call is dict: give a list of numbers"),
    ],
)
def test_a_list_that_cannot_be_compared_is_refused_with_the_fix(value: Any, problem: str) -> None:
    with pytest.raises(ValueError) as refused:
        DoNotCallList.from_value(value)
    assert problem in str(refused.value)
    assert "3361234" not in str(refused.value)


def test_all_entries_that_cannot_be_compared_are_told_at_once_and_not_too_many() -> None:
    with pytest.raises(ValueError, match=r"nobody is called, because .*: entry 1: .*; entry 3: "):
        DoNotCallList.from_value(["5551000", MARIE, "5551001"])
    with pytest.raises(ValueError, match=r"entry 10: .*; and 990 more") as refused:
        DoNotCallList.from_value(["5551000"] * 1000)
    assert "entry 11" not in str(refused.value)


def test_clients_and_sip_addresses_can_be_listed_too() -> None:
    listed = DoNotCallList.from_value(f"client:Alice sip:bob@example.com {MARIE}")
    assert listed.is_listed("client:alice")
    assert listed.is_listed("SIP:bob@Example.com")
    assert listed.is_listed(MARIE)
    assert not listed.is_listed("client:carol")


@pytest.mark.parametrize("to", ["5005551000", "alice", "", None])
def test_a_callee_that_cannot_be_compared_is_refused_rather_than_called(to: Any) -> None:
    with pytest.raises(ValueError):
        DoNotCallList([MARIE]).is_listed(to)


@pytest.mark.parametrize(
    ("listed", "to"),
    [
        ("+33 06 12 34 56 78", MARIE),
        (MARIE, "+33 06 12 34 56 78"),
        ("sip:bob@example.com;transport=tls", "sip:bob@example.com"),
        ("sip:bob@example.com", "sip:bob@example.com:5060;transport=tls"),
        ("client:bob?x=1", "client:bob"),
        ("client:bob", "client:bob?x=1"),
        (JOHN, f"sip:{JOHN}@trunk.example.com"),
        (JOHN, "sip:%2B15005551000@trunk.example.com;user=phone"),
        (JOHN, "sip:15005551000@trunk"),
        (JOHN, "sip:5005551000@trunk"),
        (f"sip:{JOHN}@trunk", JOHN),
        ("sip:5005551000@trunk", JOHN),
        ("sip:5005551000@trunk", f"sip:{JOHN}@another-trunk"),
        (MARIE, "sip:0612345678@trunk"),
        (MARIE, "sip:0033612345678@trunk"),
        (MARIE, "client:33612345678"),
        (f"tel:{MARIE}", MARIE),
    ],
)
def test_a_callee_is_found_on_either_side_in_another_way_of_writing(listed: str, to: str) -> None:
    assert DoNotCallList.from_value(listed).is_listed(to)
    assert DoNotCallList.from_value(f"client:x;{listed};client:y").is_listed(to)


@pytest.mark.parametrize(
    "to", ["sip:bob@example.com", "sip:1000@trunk", "sip:+15005551001@trunk", "client:alice"]
)
def test_a_sip_user_who_is_somebody_else_may_be_called(to: str) -> None:
    assert not DoNotCallList.from_value([MARIE, JOHN, "sip:100@trunk", "sip:bob@example.org"]).is_listed(to)


def test_a_default_country_makes_numbers_of_national_ones_on_both_sides() -> None:
    listed = DoNotCallList.from_value("06 12 34 56 78; 00 1 500 555 1000", default_country="FR")
    assert listed.numbers == {MARIE, JOHN}
    assert listed.is_listed("06.12.34.56.78")
    assert DoNotCallList.from_value([33612345678], default_country="FR").is_listed(MARIE)


@pytest.mark.parametrize(
    "value",
    ["+15005550006.0", [15005550006.0], ["1.5e10"], "sip:example.com", f"{MARIE},06 12 34 56 78 9", "[1,"],
)
def test_an_entry_that_cannot_be_compared_refuses_the_list_with_a_default_country_too(value: Any) -> None:
    with pytest.raises(ValueError, match="nobody is called, because do_not_call"):
        DoNotCallList.from_value(value, default_country="FR")


COUNTRIES = {"+1": "US", "+33": "FR", "+39": "IT", "+44": "GB", "+49": "DE"}


@st.composite
def one_number_in_two_ways(draw: st.DrawFn) -> tuple[str, str, str]:
    """A number's country, and the number as two people may write it."""
    number = draw(e164)
    code = next(code for code in COUNTRIES if number.startswith(code))
    national = number.removeprefix(code)
    trunk = "" if code in ("+1", "+39") else "0"
    texts = [
        number,
        f"{code} {national[:3]} {national[3:6]}-{national[6:]}",
        f"{code} ({trunk}){national}" if trunk else f"{code} ({national[:3]}) {national[3:]}",
        f"tel:{number}",
    ]
    # In North America a number without its 1 may be another country's that lacks its +, unless somebody can have it.
    if code != "+1" or is_valid_number(parse(number)):
        texts.append(f"{trunk}{national[:4]} {national[4:]}")
    users = [
        number,
        f"%2B{number[1:]}",
        number[1:],
        f"00{number[1:]}",
        f"011{number[1:]}",
        f"{trunk}{national}",
    ]
    hosts = [
        "trunk.example.com",
        "TRUNK.example.com:5060;transport=tls",
        "other.example.org;user=phone",
        "[::1]?x=1",
    ]
    sip = st.builds(
        "{}:{}@{}".format, st.sampled_from(["sip", "sips"]), st.sampled_from(users), st.sampled_from(hosts)
    )
    written = st.one_of(st.sampled_from(texts), sip)
    return COUNTRIES[code], draw(written), draw(written)


@reproducible(examples=200)
@given(one_number_in_two_ways())
def test_a_listed_number_is_found_however_either_side_is_written(written: tuple[str, str, str]) -> None:
    country, listed, to = written
    assert DoNotCallList([listed], default_country=country).is_listed(to)
    assert DoNotCallList.from_value(f"client:x, {listed}\nclient:y", default_country=country).is_listed(to)


def test_the_numbers_do_not_show_in_logs() -> None:
    assert repr(DoNotCallList([MARIE, JOHN])) == "<DoNotCallList of 2>"


@reproducible(examples=200)
@given(st.lists(e164), st.sampled_from([",", " ", "\n", " ; ", "\r\n", "\t"]), e164)
def test_who_is_listed_is_found_and_nobody_else(numbers: list[str], separator: str, other: str) -> None:
    listed = DoNotCallList.from_value(separator.join(numbers))
    assert all(map(listed.is_listed, numbers))
    assert listed.is_listed(other) is (other in numbers)


@reproducible(examples=200)
@given(st.text())
def test_any_text_is_a_list_or_a_value_error(text: str) -> None:
    try:
        listed = DoNotCallList.from_value(text)
    except ValueError:
        return
    assert all(number.startswith(("+", "client:", "sip:", "sips:")) for number in listed.numbers)
