"""Which URL Twilio asks at which event of a call, and with which parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

from airflow_provider_twiliocall.simulator.calls.call_event import CallEvent
from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.conversation import Asking
from airflow_provider_twiliocall.simulator.calls.simulated_call import Form, SimulatedCall, new_sid
from airflow_provider_twiliocall.simulator.twilio_api.resources import API_VERSION, call_uri
from airflow_provider_twiliocall.twilio.call import CallStatus

_STATUS_WORDS = {"initiated": "initiated", "ringing": "ringing", "answered": "in-progress"}
_SIP_CODES = {
    CallStatus.COMPLETED: "200",
    CallStatus.BUSY: "486",
    CallStatus.NO_ANSWER: "487",
    CallStatus.CANCELED: "487",
    CallStatus.FAILED: "404",
}


@dataclass(frozen=True)
class Webhook:
    """One request that Twilio has to send."""

    call: SimulatedCall
    method: str
    url: str
    params: Form
    asking: Asking | None = None


def webhooks_for(event: CallEvent, clock: Clock) -> list[Webhook]:
    """The requests that follow from something that happened to a call."""
    call = event.call
    found: list[Webhook] = []
    if _wants_status(call, event.name):
        found.append(_webhook(call, "StatusCallback", "StatusCallbackMethod", _status_params(event, clock)))
    if event.asking is not None:
        ask = event.asking.ask
        params = _parties(call, "in-progress") + _recorded(call, ask.params)
        found.append(Webhook(call, ask.method, ask.url, params, event.asking))
    if event.name == "detected" and not call.waits_for_detection and call.get("AsyncAmdStatusCallback"):
        found.append(
            _webhook(
                call,
                "AsyncAmdStatusCallback",
                "AsyncAmdStatusCallbackMethod",
                _detection_params(event, clock),
            )
        )
    recording = {"answered": "in-progress", "recorded": "completed"}.get(event.name)
    if call.recording is not None and call.get("RecordingStatusCallback"):
        wanted = call.get_all("RecordingStatusCallbackEvent") or ["completed"]
        if recording in wanted:
            params = _recording_params(call, str(recording), clock)
            found.append(_webhook(call, "RecordingStatusCallback", "RecordingStatusCallbackMethod", params))
    return found


def _wants_status(call: SimulatedCall, event: str) -> bool:
    if not call.get("StatusCallback") or call.get("ApplicationSid"):
        return False
    return event in (call.get_all("StatusCallbackEvent") or ["completed"])


def _webhook(call: SimulatedCall, url: str, method: str, params: Form) -> Webhook:
    return Webhook(call, call.get(method, "POST"), call.get(url), params)


def _parties(call: SimulatedCall, status: str) -> Form:
    params = [
        ("CallSid", call.sid),
        ("AccountSid", call.account_sid),
        ("From", call.from_),
        ("To", call.to),
        ("Caller", call.from_),
        ("Called", call.to),
        ("CallStatus", status),
        ("ApiVersion", API_VERSION),
        ("Direction", "outbound-api"),
    ]
    if call.answered_by is not None:
        params.append(("AnsweredBy", call.answered_by.value))
    return tuple(params)


def _status_params(event: CallEvent, clock: Clock) -> Form:
    call = event.call
    params = [
        *_parties(call, _STATUS_WORDS.get(event.name, call.status.value)),
        ("Timestamp", clock.stamp(event.at)),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", str(call.callbacks_sent)),
    ]
    call.callbacks_sent += 1
    if event.name == "completed":
        seconds = call.duration or 0
        params += [
            ("CallDuration", str(seconds)),
            ("Duration", str(math.ceil(seconds / 60))),
            ("SipResponseCode", _SIP_CODES.get(call.status, "500")),
        ]
        if call.recording is not None:
            params += [
                ("RecordingSid", call.recording.sid),
                ("RecordingUrl", _recording_url(call)),
                ("RecordingDuration", str(seconds)),
            ]
    return tuple(params)


def _detection_params(event: CallEvent, clock: Clock) -> Form:
    call = event.call
    started = call.answered_at if call.answered_at is not None else event.at
    return (
        ("CallSid", call.sid),
        ("AccountSid", call.account_sid),
        ("AnsweredBy", call.answered_by.value if call.answered_by else "unknown"),
        ("MachineDetectionDuration", str(round(clock.seconds_between(started, event.at) * 1000))),
    )


def _recording_params(call: SimulatedCall, status: str, clock: Clock) -> Form:
    recording = call.recording
    assert recording is not None
    params = [
        ("AccountSid", call.account_sid),
        ("CallSid", call.sid),
        ("RecordingSid", recording.sid),
        ("RecordingUrl", _recording_url(call)),
        ("RecordingStatus", status),
        ("RecordingChannels", "2" if call.get("RecordingChannels") == "dual" else "1"),
        ("RecordingStartTime", clock.stamp(recording.started_at)),
        ("RecordingSource", "OutboundAPI"),
        ("RecordingTrack", call.get("RecordingTrack", "both")),
    ]
    if status == "completed":
        params.append(("RecordingDuration", str(call.duration or 0)))
    return tuple(params)


def _recorded(call: SimulatedCall, params: Form) -> Form:
    """The parameters of a request, with a recording where a ``<Record>`` has made one."""
    if "RecordingDuration" not in dict(params):
        return params
    sid = new_sid("RE")
    return (("RecordingSid", sid), ("RecordingUrl", _url_of_recording(call, sid)), *params)


def _recording_url(call: SimulatedCall) -> str:
    assert call.recording is not None
    return _url_of_recording(call, call.recording.sid)


def _url_of_recording(call: SimulatedCall, sid: str) -> str:
    account = call_uri(call).partition("/Calls/")[0]
    return f"https://api.twilio.com{account}/Recordings/{sid}"
