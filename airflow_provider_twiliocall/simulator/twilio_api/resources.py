"""The resources as Twilio writes them, field for field: calls and what hangs below them, account, numbers."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_twiliocall.simulator.calls.account import Account
from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.identity import OwnedNumber
from airflow_provider_twiliocall.simulator.calls.simulated_call import (
    Notification,
    SimulatedCall,
    WebhookExchange,
)

API_VERSION = "2010-04-01"

_SUBRESOURCES = (
    ("notifications", "Notifications"),
    ("recordings", "Recordings"),
    ("payments", "Payments"),
    ("events", "Events"),
    ("siprec", "Siprec"),
    ("streams", "Streams"),
    ("transcriptions", "Transcriptions"),
    ("user_defined_message_subscriptions", "UserDefinedMessageSubscriptions"),
    ("user_defined_messages", "UserDefinedMessages"),
)
_NORTH_AMERICAN = re.compile(r"\+1(\d{3})(\d{3})(\d{4})")


def formatted(number: str) -> str:
    """A number for people to read: North American ones as ``(415) 555-1234``, others as they are."""
    match = _NORTH_AMERICAN.fullmatch(number)
    return "({}) {}-{}".format(*match.groups()) if match else number


def call_uri(call: SimulatedCall) -> str:
    """Where a call is, without ``.json``."""
    return f"/{API_VERSION}/Accounts/{call.account_sid}/Calls/{call.sid}"


def call_body(call: SimulatedCall, clock: Clock, at: float | None = None) -> dict[str, Any]:
    """The Call resource, or what it was at an earlier instant.

    Before it is dialed a call has neither ``start_time`` nor ``duration``; afterwards the duration counts
    ``"0"`` until the end. The price comes some seconds after the end.
    """
    moment = float("inf") if at is None else at

    def known(instant: float | None) -> bool:
        return instant is not None and instant <= moment

    def stamp(instant: float | None) -> str | None:
        return clock.stamp(instant) if instant is not None and instant <= moment else None

    dialed, ended = known(call.dialed_at), known(call.ended_at)
    uri = call_uri(call)
    return {
        "sid": call.sid,
        "date_created": clock.stamp(call.created_at),
        "date_updated": clock.stamp(max(call.created_at, min(call.updated_at, moment))),
        "parent_call_sid": None,
        "account_sid": call.account_sid,
        "to": call.to,
        "to_formatted": formatted(call.to),
        "from": call.from_,
        "from_formatted": formatted(call.from_),
        "phone_number_sid": call.phone_number_sid,
        "status": call.status_at(moment).value,
        "start_time": stamp(call.dialed_at),
        "end_time": stamp(call.ended_at),
        "duration": str(call.duration) if ended else ("0" if dialed else None),
        "price": call.price if known(call.priced_at) else None,
        "price_unit": "USD",
        "direction": "outbound-api",
        "answered_by": call.answered_by.value if call.answered_by and known(call.answered_by_at) else None,
        "api_version": API_VERSION,
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": "" if dialed else None,
        "queue_time": str(call.queue_time) if dialed else "0",
        "stir_verstat": None,
        "trunk_sid": "" if dialed else None,
        "annotation": None,
        "uri": f"{uri}.json",
        "subresource_uris": {name: f"{uri}/{path}.json" for name, path in _SUBRESOURCES},
    }


def recording_body(call: SimulatedCall, clock: Clock) -> dict[str, Any]:
    """The Recording resource of a recorded call."""
    recording = call.recording
    assert recording is not None
    status = "in-progress" if recording.ended_at is None else "processing"
    ready = recording.ready_at is not None
    last = recording.ready_at or recording.ended_at or recording.started_at
    return {
        "sid": recording.sid,
        "account_sid": call.account_sid,
        "call_sid": call.sid,
        "conference_sid": None,
        "api_version": API_VERSION,
        "date_created": clock.stamp(recording.started_at),
        "date_updated": clock.stamp(last),
        "start_time": clock.stamp(recording.started_at),
        "duration": str(call.duration) if ready else "-1",
        "price": "-0.00250" if ready else None,
        "price_unit": "USD",
        "status": "completed" if ready else status,
        "channels": 2 if call.get("RecordingChannels") == "dual" else 1,
        "source": "OutboundAPI",
        "error_code": None,
        "track": call.get("RecordingTrack", "both"),
        "encryption_details": None,
        "uri": f"{call_uri(call)}/Recordings/{recording.sid}.json",
    }


def notification_body(call: SimulatedCall, notification: Notification, clock: Clock) -> dict[str, Any]:
    """The Notification resource: why a call failed."""
    at = clock.stamp(notification.created_at)
    return {
        "sid": notification.sid,
        "account_sid": call.account_sid,
        "call_sid": call.sid,
        "api_version": API_VERSION,
        "date_created": at,
        "date_updated": at,
        "message_date": at,
        "error_code": str(notification.error_code),
        "log": "0" if notification.is_error else "1",
        "message_text": notification.message,
        "more_info": f"https://www.twilio.com/docs/errors/{notification.error_code}",
        "request_method": call.get("Method", "POST"),
        "request_url": notification.url or call.get("Url"),
        "uri": f"{call_uri(call)}/Notifications/{notification.sid}.json",
    }


def event_body(exchange: WebhookExchange, clock: Clock) -> dict[str, Any]:
    """The Event resource: one request Twilio made about a call, and the answer to it."""
    return {
        "request": {
            "url": exchange.url,
            "method": exchange.method,
            "parameters": {_snake_case(name): value for name, value in exchange.params},
        },
        "response": {
            "response_code": exchange.status,
            "request_duration": round(exchange.took * 1000),
            "content_type": exchange.content_type,
            "response_body": exchange.body,
            "date_created": clock.stamp(exchange.at),
        },
    }


def account_body(account: Account) -> dict[str, Any]:
    """The Account resource."""
    uri = f"/{API_VERSION}/Accounts/{account.sid}"
    created = account.clock.stamp(account.created_at)
    return {
        "sid": account.sid,
        "owner_account_sid": account.sid,
        "auth_token": account.credentials.auth_token,
        "friendly_name": "Simulated account",
        "status": "active",
        "type": "Trial" if account.is_trial else "Full",
        "date_created": created,
        "date_updated": created,
        "uri": f"{uri}.json",
        "subresource_uris": {
            "calls": f"{uri}/Calls.json",
            "incoming_phone_numbers": f"{uri}/IncomingPhoneNumbers.json",
        },
    }


def number_body(number: OwnedNumber, account: Account) -> dict[str, Any]:
    """The IncomingPhoneNumber resource."""
    bought = account.clock.stamp(number.bought_at)
    return {
        "sid": number.sid,
        "account_sid": account.sid,
        "phone_number": number.phone_number,
        "friendly_name": formatted(number.phone_number),
        "address_sid": None,
        "address_requirements": "none",
        "api_version": API_VERSION,
        "beta": False,
        "bundle_sid": None,
        "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
        "date_created": bought,
        "date_updated": bought,
        "emergency_address_sid": None,
        "emergency_address_status": "unregistered",
        "emergency_status": "Inactive",
        "identity_sid": None,
        "origin": "twilio",
        "sms_application_sid": "",
        "sms_fallback_method": "POST",
        "sms_fallback_url": "",
        "sms_method": "POST",
        "sms_url": "",
        "status": "in-use",
        "status_callback": "",
        "status_callback_method": "POST",
        "trunk_sid": None,
        "type": "local",
        "uri": f"/{API_VERSION}/Accounts/{account.sid}/IncomingPhoneNumbers/{number.sid}.json",
        "voice_application_sid": "",
        "voice_caller_id_lookup": False,
        "voice_fallback_method": "POST",
        "voice_fallback_url": "",
        "voice_method": "POST",
        "voice_receive_mode": "voice",
        "voice_url": "",
    }


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
