"""What is meant as a phone number, and how one is shown: cut, so that it cannot be dialled."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twiliocall.twilio.phone_number import (
    is_phone_number,
    redact_phone_number,
    redact_phone_numbers_in,
    show_address,
)
from tests.unit.examples import e164, reproducible

number_like = st.text(alphabet="+0123456789 -.()/\u00a0\u2009\u2011\u2013\u200b٣５xX", max_size=25)


@pytest.mark.parametrize(
    "value", ["+15551234567", "5551234567", " (555) 123", "+1 555 CALL", "911", "\uff0b1555"]
)
def test_what_starts_like_a_number_is_meant_as_one(value):
    assert is_phone_number(value)


@pytest.mark.parametrize(
    "value", ["client:alice", "sip:alice@example.com", "1000@example.com", "alice", "", None, 1555]
)
def test_clients_sip_addresses_and_names_are_no_phone_numbers(value):
    assert not is_phone_number(value)


@pytest.mark.parametrize(
    ("value", "redacted"),
    [
        ("+14158675310", "+1*******5310"),
        ("+33612345678", "+3*******5678"),
        ("+1 (415) 867-5310", "+1*******5310"),
        ("5551234567", "*******4567"),
        ("12345", "*******"),
        ("+123", "*******"),
        ("client:alice", "client:a****"),
        ("client:al", "client:****"),
        ("client:+14158675310", "client:+1*******5310"),
        ("sip:alice@example.com", "sip:a****@example.com"),
        ("sip:+14158675310@example.com", "sip:+1*******5310@example.com"),
        ("sip:alice@+14158675310", "sip:a****@+1*******5310"),
        ("sip:alice:secret@example.com", "sip:a****@example.com"),
        ("alice", "a****"),
        ("", "****"),
    ],
)
def test_redacting_keeps_what_recognises_an_address_and_not_what_dials_it(value, redacted):
    assert redact_phone_number(value) == redacted
    assert redact_phone_number(redacted) == redacted


@reproducible(examples=300)
@given(st.one_of(number_like, e164, st.text(alphabet=st.characters(categories=["Nd", "L", "Zs", "P"]))))
def test_redacting_leaves_at_most_the_first_and_the_last_four_digits(text):
    redacted = redact_phone_number(text)
    leading, _, trailing = redacted.rpartition("*")
    assert sum(character.isdigit() for character in leading) <= 1
    assert sum(character.isdigit() for character in trailing) <= 4


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("The number +14158675310 is not verified.", "The number +1*******5310 is not verified."),
        ("from +14158675310 to +33612345678", "from +1*******5310 to +3*******5678"),
        ("+14158675310 503 busy", "+1*******5310 503 busy"),
        ("call +1 (415) 867-5310, please", "call +1*******5310, please"),
        ("Calls.json?To=%2B14158675310&Page=2", "Calls.json?To=+1*******5310&Page=2"),
        ("+2901234", "+2*******1234"),
        ("2 + 2 = 4, +5 points, UTC+02:00", "2 + 2 = 4, +5 points, UTC+02:00"),
        ("at 20260131T000000 for CA00000000000000000000000000000001", None),
    ],
)
def test_numbers_inside_a_longer_text_are_redacted_and_nothing_else_is(text, redacted):
    assert redact_phone_numbers_in(text) == (redacted or text)


@reproducible(examples=300)
@given(st.text(), e164, st.text())
def test_no_full_number_is_left_in_any_text(before, number, after):
    redacted = redact_phone_numbers_in(f"{before} {number}\n{after}")
    assert not re.search(r"\+\d{7}", redacted)
    assert redact_phone_numbers_in(redacted) == redacted


@reproducible(examples=300)
@given(st.one_of(st.text(), number_like, st.integers(), st.floats(), st.none(), st.lists(st.text())))
def test_any_value_can_be_shown_on_one_short_line(value):
    shown = show_address(value)
    assert len(shown) <= 80
    assert len(shown.splitlines()) == 1
