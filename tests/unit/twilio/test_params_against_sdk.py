"""The official SDK is the oracle: for the same arguments we send the same form."""

from __future__ import annotations

import inspect
import logging
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.rest.api.v2010.account.call import CallList

from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.unit.examples import reproducible

KNOWN_TO_THE_SDK = set(inspect.signature(CallList.create).parameters) - {"self"}


class RecordingHttpClient(HttpClient):
    """Keeps the form that the SDK would have sent and answers as Twilio does."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False)
        self.form: dict[str, Any] = {}

    def request(self, method, uri, params=None, data=None, **_):
        self.form = data
        return Response(201, '{"sid": "CA00000000000000000000000000000000"}')


def encoded(form: Any) -> list[tuple[str, str]]:
    body = requests.Request("POST", "https://api.twilio.com/", data=form).prepare().body
    return sorted(parse_qsl(body, keep_blank_values=True, strict_parsing=True))


def sent_by_the_sdk(arguments: dict[str, Any]) -> list[tuple[str, str]]:
    http_client = RecordingHttpClient()
    Client("AC" + "0" * 32, "token", http_client=http_client).calls.create(**arguments)
    return encoded(http_client.form)


def sid(prefix: str) -> st.SearchStrategy[str]:
    return st.from_regex(rf"{prefix}[0-9a-fA-F]{{32}}", fullmatch=True)


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: text == text.strip() and text != "None"
)

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,20}", fullmatch=True)
phone_numbers = st.from_regex(r"\+1[2-9][0-9]{9}", fullmatch=True)
clients = st.builds("client:{}".format, names)
sip_addresses = st.builds("sip:{}@{}.example.com".format, names, st.from_regex(r"[a-z]{1,9}", fullmatch=True))
methods = st.sampled_from(["GET", "POST"])
urls = st.builds(
    "{}://{}.example.com{}/{}?{}".format,
    st.sampled_from(["http", "https"]),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True),
    st.sampled_from(["", ":8443"]),
    st.from_regex(r"[A-Za-z0-9_/%.~-]{0,20}", fullmatch=True),
    st.from_regex(r"([a-z]{1,5}=[A-Za-z0-9+%&é]{0,9})?", fullmatch=True),
)
twiml = st.sampled_from(
    [
        "<Response/>",
        '<?xml version="1.0" encoding="UTF-8"?><Response><Say>a &amp; b &lt; c</Say></Response>',
        "<Response><Say>Grüße, 你好 ☎️ + 100 %</Say><Hangup/></Response>",
    ]
)
events = st.lists(st.sampled_from(["initiated", "ringing", "answered", "completed"]), min_size=1, max_size=4)
recording_events = st.lists(st.sampled_from(["in-progress", "completed", "absent"]), min_size=1, max_size=3)

addresses = st.one_of(
    st.fixed_dictionaries({"to": phone_numbers, "from_": phone_numbers}),
    st.fixed_dictionaries({"to": clients, "from_": st.one_of(phone_numbers, clients)}),
    st.fixed_dictionaries({"to": sip_addresses, "from_": st.one_of(phone_numbers, names, sip_addresses)}),
).filter(lambda pair: pair["to"] != pair["from_"])
instructions = st.one_of(
    st.fixed_dictionaries({"url": urls}),
    st.fixed_dictionaries({"twiml": twiml}),
    st.fixed_dictionaries({"application_sid": sid("AP")}),
)
sip_credentials = st.one_of(
    st.just({}), st.fixed_dictionaries({"sip_auth_username": words, "sip_auth_password": words})
)
OPTIONAL = {
    "method": methods,
    "fallback_method": methods,
    "status_callback_method": methods,
    "recording_status_callback_method": methods,
    "async_amd_status_callback_method": methods,
    "fallback_url": urls,
    "status_callback": urls,
    "recording_status_callback": urls,
    "async_amd_status_callback": urls,
    "client_notification_url": urls,
    "status_callback_event": events,
    "recording_status_callback_event": recording_events,
    "send_digits": st.from_regex(r"[0-9A-D#*wW]{1,32}", fullmatch=True),
    "timeout": st.integers(1, 600),
    "time_limit": st.integers(1, 86400),
    "record": st.booleans(),
    "recording_channels": st.sampled_from(["mono", "dual"]),
    "recording_track": st.sampled_from(["inbound", "outbound", "both"]),
    "trim": st.sampled_from(["trim-silence", "do-not-trim"]),
    "machine_detection": st.sampled_from(["Enable", "DetectMessageEnd"]),
    "machine_detection_timeout": st.integers(3, 59),
    "machine_detection_speech_threshold": st.integers(1000, 6000),
    "machine_detection_speech_end_threshold": st.integers(500, 5000),
    "machine_detection_silence_timeout": st.integers(2000, 10000),
    "async_amd": st.sampled_from(["true", "false"]),
    "caller_id": st.one_of(phone_numbers, clients, st.just("name@company.com")),
    "byoc": sid("BY"),
    "call_reason": words,
    "call_token": words,
    "recording_configuration_id": words,
    "passports": st.lists(
        st.from_regex(r"[A-Za-z0-9+/]{4,20}={0,2}", fullmatch=True), min_size=1, max_size=5
    ).map(",".join),
}


def call_arguments(known: set[str]) -> st.SearchStrategy[dict[str, Any]]:
    optional = st.fixed_dictionaries({}, optional={k: v for k, v in OPTIONAL.items() if k in known})
    return st.tuples(addresses, instructions, sip_credentials, optional).map(
        lambda parts: {
            name: value
            for part in parts
            for name, value in part.items()
            if name != "byoc" or parts[0]["to"].startswith("+")
        }
    )


def test_every_field_is_generated_here():
    elsewhere = {"account_sid", "to", "from_", "url", "twiml", "application_sid"}
    elsewhere |= {"sip_auth_username", "sip_auth_password"}
    assert set(OPTIONAL) | elsewhere == set(CREATE_CALL_FIELDS)


def test_the_fields_are_those_of_the_sdk():
    assert set(CREATE_CALL_FIELDS) - {"account_sid"} == KNOWN_TO_THE_SDK


@pytest.mark.untraced
@reproducible(examples=250)
@given(call_arguments(KNOWN_TO_THE_SDK))
def test_the_form_is_what_the_sdk_sends_for_the_same_arguments(arguments):
    ours = CreateCallParams(**arguments).to_form()
    assert encoded(ours) == sent_by_the_sdk(arguments)


@pytest.mark.untraced
@reproducible(examples=250)
@given(call_arguments(KNOWN_TO_THE_SDK))
def test_the_form_is_the_same_after_all_arguments_went_through_a_template(arguments):
    rendered = {name: str(value) for name, value in arguments.items()}
    assert encoded(CreateCallParams(**rendered).to_form()) == sent_by_the_sdk(arguments)


@pytest.mark.untraced
@reproducible(examples=250)
@given(call_arguments(KNOWN_TO_THE_SDK))
def test_arguments_set_to_none_are_as_good_as_left_out(arguments):
    with_none = {name: arguments.get(name) for name in CREATE_CALL_FIELDS}
    assert encoded(CreateCallParams(**with_none).to_form()) == sent_by_the_sdk(arguments)


def test_a_python_bool_for_async_amd_is_sent_in_lower_case_where_the_sdk_sends_it_capitalised():
    arguments = {"to": "+15551234567", "from_": "+15557654321", "twiml": "<Response/>", "async_amd": True}
    assert ("AsyncAmd", "True") in sent_by_the_sdk(arguments)
    assert ("AsyncAmd", "true") in CreateCallParams(**arguments).to_form()


def test_the_newest_fields_have_the_names_that_twilio_reads():
    params = CreateCallParams(
        to="+15551234567",
        twiml="<Response/>",
        client_notification_url="https://example.com/push",
        recording_configuration_id="configuration",
        passports="one,two",
    )
    assert {"ClientNotificationUrl", "RecordingConfigurationId", "Passports"} <= {
        name for name, _ in params.to_form()
    }
