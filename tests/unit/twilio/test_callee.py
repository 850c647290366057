"""Two ways of writing one callee are found to be alike, and what cannot be compared is refused."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.twilio.callee import Callee

BOB = "sip:bob@example.com"


@pytest.mark.parametrize(
    "written",
    [
        BOB,
        "SIP:Bob@Example.COM",
        "sips:bob@example.com",
        "sip:bob@example.com;transport=tls",
        "sip:bob@example.com:5060",
        "sip:bob@example.com:5061;transport=tls;lr",
        "sip:bob@example.com?subject=alarm",
        "sip:bob@example.com.",
        "sip:bob:secret@example.com",
        "sip:b%6fb@example.com",
        " <sip:bob@example.com;transport=tls> ",
        '"Bob" <sip:bob@example.com>;tag=1',
        "\u202asip:bo\u200bb@example.com\u202c",
        "sip:bob@example\uff0ecom",
    ],
)
def test_a_sip_address_is_the_same_without_what_says_how_to_reach_it(written: str) -> None:
    assert Callee.of(written) == Callee(BOB)


@pytest.mark.parametrize(
    "written",
    ["client:bob", "client:Bob", "CLIENT:bob", "client:bob?x=1", " client:bob?x=1&y=2 ", "client:b%6fb"],
)
def test_a_client_is_the_same_without_what_it_is_told(written: str) -> None:
    assert Callee.of(written) == Callee("client:bob")


@pytest.mark.parametrize(
    "written",
    ["+15005550006", "tel:+1-500-555-0006", "TEL:+15005550006;phone-context=x", "<tel:%2B15005550006>"],
)
def test_a_number_is_the_same_as_a_link(written: str) -> None:
    assert Callee.of(written) == Callee("+15005550006")


def test_a_national_number_is_one_of_the_default_country() -> None:
    assert Callee.of("tel:06 12 34 56 78", default_country="FR") == Callee("+33612345678")


@pytest.mark.parametrize(
    "user",
    [
        "+15005550006",
        "%2B15005550006",
        "+1-500-555-0006",
        "15005550006",
        "0015005550006",
        "01115005550006",
        "+15005550006;phone-context=example.com",
        "+15005550006:secret",
        "5005550006",
        "05005550006",
    ],
)
def test_a_sip_user_may_be_a_phone_number(user: str) -> None:
    callee = Callee.of(f"sip:{user}@trunk.example.com;user=phone")
    assert any("15005550006".endswith(phone) or phone.endswith("15005550006") for phone in callee.phones)


@pytest.mark.parametrize("user", ["bob", "1000", "bob15005550006", "555012"])
def test_a_sip_user_that_is_a_name_or_an_extension_is_no_phone_number(user: str) -> None:
    assert not Callee.of(f"sip:{user}@pbx.example.com").phones


@pytest.mark.parametrize("host", ["[2001:db8::1]", "[2001:db8::1]:5060", "[2001:DB8::1];transport=udp"])
def test_a_host_may_be_an_address(host: str) -> None:
    assert Callee.of(f"sip:bob@{host}") == Callee("sip:bob@[2001:db8::1]")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("sip:example.com", "has no user or no host: give sip:user@host"),
        ("sip:bob@", "has no user or no host"),
        ("sip:@example.com", "names nobody"),
        ("client:", "names nobody"),
        ("client:?x=1", "names nobody"),
        ("<sip:a@example.com> <sip:b@example.com>", "has letters"),
        ("bob@example.com", "has letters"),
        ("whatsapp:+15005550006", "has letters"),
        ("tel:+15005550006;ext=12", "has letters"),
        ("tel:5550006;phone-context=+1500", "has letters"),
        ("tel:5005550006", "is not E.164"),
        (None, "is not text"),
    ],
)
def test_what_could_not_be_compared_is_refused(written: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Callee.of(written)
