"""What was said and pressed in a call, as JSON."""

from __future__ import annotations

from typing import Any

from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.conversation import Line
from airflow_provider_twiliocall.simulator.calls.simulated_call import SimulatedCall


def transcript_of(call: SimulatedCall, clock: Clock) -> list[dict[str, Any]]:
    """Every line in order: ``second`` counts simulated seconds from the answer."""
    start = call.answered_at or 0.0
    return [
        {
            "second": round(clock.seconds_between(start, heard.at), 2),
            "line": heard.line.value,
            "text": heard.text,
            "cut_after": heard.cut_after,
            "counted": heard.counted,
        }
        for heard in call.conversation.transcript
    ]


def summary_of(call: SimulatedCall) -> dict[str, Any]:
    """What was said, which keys were pressed and which of Twilio's errors and warnings came up, in short."""
    lines = call.conversation.transcript
    return {
        "said": [heard.text for heard in lines if heard.line is Line.SAID],
        "pressed": [heard.text for heard in lines if heard.line is Line.PRESSED],
        "error_codes": [each.error_code for each in call.notifications],
    }
