"""Contacts as authors and templates give them: one, several, as text, and what of them is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.callees.contact import Contact, contacts_in, is_template

NUMBER = "+15551234567"
OTHER = "+15551234568"
WINDOW = CallWindow("09:00", "20:00", "Europe/Paris")


# One


def test_a_number_is_a_contact_without_a_name() -> None:
    assert Contact.from_value(f" {NUMBER} ") == Contact(None, NUMBER)


def test_a_contact_is_taken_as_it_is() -> None:
    ann = Contact("Ann", NUMBER, WINDOW)
    assert Contact.from_value(ann) is ann


@pytest.mark.parametrize("dump", [dict, json.dumps, str], ids=["dict", "JSON", "Python"])
def test_the_arguments_of_a_contact_are_one(dump: Any) -> None:
    given = dump({"name": "Ann", "to": NUMBER, "call_window": WINDOW.to_dict()})
    contact = Contact.from_value(given)
    assert (contact.name, contact.to, contact.window()) == ("Ann", NUMBER, WINDOW)


def test_a_name_that_a_template_did_not_find_is_none() -> None:
    assert Contact.from_value({"name": "None", "to": NUMBER}) == Contact(None, NUMBER)


def test_a_bad_number_is_left_to_those_who_check_the_call() -> None:
    assert Contact("Ann", "5551234").to == "5551234"
    assert Contact.from_value(15551234567).to == 15551234567


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "Ann"}, "lacks to"),
        ({"to": ""}, "has no number"),
        ({"to": "None"}, "has no number"),
        ({"to": NUMBER, "tel": OTHER}, "contacts: a contact has no 'tel': give name, to and call_window"),
        ({"name": "Bob", "number": NUMBER}, "contacts: a contact has no 'number': the number goes in to"),
        (("Bob", NUMBER), r"is a tuple: give Contact\('Ann', '\+15551234567'\), or a dict with name and to"),
        (["Bob", NUMBER], r"is a list: give Contact\('Ann', '\+15551234567'\)"),
        ({"to": NUMBER, "name": 7}, "name is 7: give text"),
        ({"to": NUMBER, "call_window": {"start": "09:00"}}, "lacks end and timezone"),
        (
            {"to": NUMBER, "call_window": {"start": "9:00", "end": "9:00", "timezone": "UTC"}},
            "start and end are both 09:00",
        ),
        (
            {
                "name": "Ann",
                "to": NUMBER,
                "call_window": {"start": "9:00", "end": "20:00", "timezone": "X/Y"},
            },
            "contact Ann: .*timezone='X/Y'",
        ),
        ("{'to': ", "cannot be read"),
    ],
)
def test_what_is_no_contact_is_refused_with_the_reason(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Contact.from_value(value)


def test_templates_are_looked_at_when_they_are_rendered() -> None:
    Contact(
        "{{ var.value.who }}",
        "{{ var.value.number }}",
        {"start": "09:00", "end": "20:00", "timezone": "{{ params.zone }}"},
    )


def test_a_contact_with_templates_is_rendered_and_stays_as_it_is() -> None:
    window = {"start": "09:00", "end": "20:00", "timezone": "{{ zone }}"}
    contact = Contact("{{ name }}", "{{ to }}", window)

    rendered = contact.rendered_by(lambda part: f"<{part}>")

    assert rendered == {"name": "<{{ name }}>", "to": "<{{ to }}>", "call_window": f"<{window}>"}
    assert (contact.name, contact.to) == ("{{ name }}", "{{ to }}")


def test_what_is_no_template_is_not_rendered() -> None:
    assert Contact("n", NUMBER).rendered_by(lambda part: None) == Contact("n", NUMBER).to_dict()


def test_a_window_that_is_one_is_not_rendered() -> None:
    assert Contact("n", "{{ to }}", WINDOW).rendered_by(lambda part: None)["call_window"] is WINDOW


def test_a_window_that_a_template_did_not_find_does_not_mean_always() -> None:
    with pytest.raises(ValueError, match="the call window is 'None'"):
        Contact.from_value({"to": NUMBER, "call_window": "None"})


# What is shown


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        (Contact("Ann", NUMBER), "Ann"),
        (Contact(None, NUMBER), "+1*******4567"),
        (Contact("  ", NUMBER), "+1*******4567"),
        (Contact(f"Ann {NUMBER}", NUMBER), "Ann +1*******4567"),
        (Contact(None, "5551234567"), "*******4567"),
        (Contact(None, "client:ann"), "client:a****"),
        (Contact.from_value(15551234567), "1******4567"),
    ],
)
def test_a_contact_is_shown_by_its_name_or_its_last_four_digits(contact: Contact, shown: str) -> None:
    assert contact.shown == shown


def test_a_contact_shows_no_whole_number() -> None:
    assert NUMBER not in repr(Contact("Ann", NUMBER)) and "Ann" in repr(Contact("Ann", NUMBER))


# Kept and read back


@pytest.mark.parametrize(
    "contact",
    [Contact("Ann", NUMBER, WINDOW), Contact(None, NUMBER), Contact("Ann", NUMBER, WINDOW.to_dict())],
)
def test_a_contact_survives_json_text_and_airflows_serialization(contact: Contact) -> None:
    kept = json.loads(json.dumps(contact.serialize()))

    assert Contact.deserialize(kept, Contact.__version__).window() == contact.window()
    assert Contact.from_value(str(contact)).to_dict() == contact.to_dict()


# Several


@pytest.mark.parametrize(
    "value",
    [
        [NUMBER, OTHER],
        (NUMBER, OTHER),
        {OTHER, NUMBER},
        f"{NUMBER}, {OTHER}",
        f"{NUMBER};{OTHER}",
        f"{NUMBER}\n{OTHER}\n",
        f'["{NUMBER}", "{OTHER}"]',
        f"['{NUMBER}', '{OTHER}']",
        f"('{NUMBER}', '{OTHER}')",
        f"{{'{NUMBER}', '{OTHER}'}}",
        [NUMBER, None, "", "None", OTHER],
    ],
)
def test_a_list_of_contacts_may_have_many_forms(value: Any) -> None:
    assert [Contact.from_value(each).to for each in contacts_in(value)] == [NUMBER, OTHER]


def test_a_sip_address_in_text_keeps_its_parameters() -> None:
    text = f"sip:a@example.com;transport=tcp;{NUMBER}"
    assert contacts_in(text) == ["sip:a@example.com;transport=tcp", NUMBER]


def test_a_list_of_dicts_may_be_text() -> None:
    text = json.dumps([{"name": "Ann", "to": NUMBER}, OTHER])
    assert [Contact.from_value(each).shown for each in contacts_in(text)] == ["Ann", "+1*******4568"]


@pytest.mark.parametrize("value", [NUMBER, Contact(None, NUMBER), {"to": NUMBER}, json.dumps({"to": NUMBER})])
def test_one_alone_is_a_list_of_one(value: Any) -> None:
    assert [Contact.from_value(each).to for each in contacts_in(value)] == [NUMBER]


def test_a_number_may_begin_with_a_parenthesis() -> None:
    assert contacts_in("(+1) 5551234567") == ["(+1) 5551234567"]


@pytest.mark.parametrize("value", [[], (), set(), "", " ", "[]", "None", None, [""], [None], ","])
def test_an_empty_list_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="contacts names nobody: give a list"):
        contacts_in(value)


@pytest.mark.parametrize("text", ["[+15559876543]x", "[", "{'to': '+15559876543'"])
def test_text_that_is_no_list_is_refused_without_the_number(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read") as refused:
        contacts_in(text)
    assert "9876543" not in str(refused.value)


@pytest.mark.parametrize("text", ["{{ var.json.oncall }}", "{% for x in y %}{% endfor %}"])
def test_a_template_is_known_by_its_braces(text: str) -> None:
    assert is_template(text)
    assert contacts_in(text) == [text]
