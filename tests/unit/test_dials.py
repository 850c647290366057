"""What is remembered of a call that has ended."""

from __future__ import annotations

import json

from airflow_provider_twiliocall.dials import Dial
from airflow_provider_twiliocall.twilio.call import Call

CALL = Call.model_validate(
    {
        "sid": "CA" + "1" * 32,
        "to": "+15551234567",
        "status": "completed",
        "answered_by": "human",
        "duration": "12",
        "end_time": "Tue, 14 Nov 2023 22:13:20 +0000",
    }
)


def test_a_dial_is_its_call_without_the_whole_number() -> None:
    assert Dial.of(CALL, step=2) == Dial(
        step=2,
        call_sid=CALL.sid,
        to="+1*******4567",
        status="completed",
        answered_by="human",
        duration=12,
        ended=1_700_000_000.0,
    )


def test_a_dial_comes_back_from_where_it_is_kept() -> None:
    dial = Dial.of(CALL, step=1, ended_by_us=True)

    assert Dial.from_json(json.loads(json.dumps(dial.to_json()))) == dial


def test_what_a_later_version_keeps_is_ignored() -> None:
    dial = Dial.of(CALL, step=1)

    assert Dial.from_json({**dial.to_json(), "mood": "good"}) == dial
