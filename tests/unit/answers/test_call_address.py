"""The addresses of a call: read as they were written, and without anything that a proxy would write anew."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twiliocall.answers.call_address import CallAddress

RECEIVER = "https://example.com/twilio-call"


@given(
    st.text(min_size=1).filter(lambda text: text.isprintable()),
    st.uuids(),
    st.from_regex(r"[A-Za-z0-9_-]{22}", fullmatch=True),
)
def test_an_address_is_read_as_it_was_written(conn_id: str, task_instance_id: object, token: str) -> None:
    address = CallAddress(conn_id, str(task_instance_id), token)
    path = urlsplit(address.status_url(RECEIVER)).path
    assert CallAddress.of(*path.split("/")[3:]) == address


@pytest.mark.parametrize("conn_id", ["twilio_default", "my/conn", "a b?c#d", "ünï"])
def test_no_part_needs_to_be_quoted(conn_id: str) -> None:
    url = CallAddress(conn_id, "0199", "token").answer_url(RECEIVER, 2)
    assert re.fullmatch(r"https://example\.com/twilio-call/answer/[\w-]+/0199/token/2", url)


@pytest.mark.parametrize("conn_id", ["%%%", "ÿ", "a", "_w"])
def test_what_is_none_of_ours_is_refused(conn_id: str) -> None:
    with pytest.raises(ValueError):
        CallAddress.of(conn_id, "x", "y")
