"""The control API under ``/simulator``: endings, faults, requests, calls, webhooks, settings, reset."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.endings import Ending, as_endings
from airflow_provider_twiliocall.simulator.calls.simulated_call import SimulatedCall
from airflow_provider_twiliocall.simulator.fault import Fault
from airflow_provider_twiliocall.simulator.operation import Operation
from airflow_provider_twiliocall.simulator.transcript import summary_of, transcript_of
from airflow_provider_twiliocall.simulator.twilio import Twilio
from airflow_provider_twiliocall.simulator.twilio_api.resources import call_body
from airflow_provider_twiliocall.simulator.webhooks.sender import webhook_dicts
from airflow_provider_twiliocall.twilio.call import CallStatus


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EndingsBody(_Body):
    """How calls to a number end: one ending, or one for each call in turn."""

    number: str
    endings: str | Ending | list[str | Ending]


class NumberBody(_Body):
    """A number calls may come from."""

    phone_number: str = Field(pattern=r"^\+[1-9]\d{6,14}$")


class SettingsBody(_Body):
    """What can be changed while it runs; what is left out stays."""

    speed: float | None = Field(default=None, gt=0)
    skew: float | None = None
    calls_per_second: float | None = Field(default=None, gt=0)


class SkipBody(_Body):
    """Simulated seconds that pass at once."""

    seconds: float = Field(ge=0)


class PressBody(_Body):
    """Keys that the callee presses now, one after the other."""

    keys: str = Field(pattern=r"^[0-9*#]+$")


class EndBody(_Body):
    """How somebody else ends a call."""

    status: CallStatus = CallStatus.CANCELED


async def the_twilio(request: Request) -> Twilio:
    """The simulated Twilio this API controls."""
    twilio: Twilio = request.app.state.twilio
    return twilio


TwilioHere = Annotated[Twilio, Depends(the_twilio)]

router = APIRouter(prefix="/simulator", tags=["simulator"])


@router.get("")
async def show(twilio: TwilioHere) -> dict[str, Any]:
    """The account, its credentials, and the settings in force."""
    account = twilio.account
    credentials = account.credentials
    return {
        "account_sid": credentials.account_sid,
        "auth_token": credentials.auth_token,
        "api_key_sid": credentials.api_key_sid,
        "api_key_secret": credentials.api_key_secret,
        "numbers": list(account.numbers),
        "verified": sorted(account.verified) if account.verified is not None else None,
        **_settings(twilio),
    }


@router.patch("")
async def change_settings(twilio: TwilioHere, body: SettingsBody) -> dict[str, Any]:
    """Change speed, clock skew or the pace of the queue."""
    with twilio.account.lock:
        twilio.account.advance()
        if body.speed is not None:
            twilio.account.clock.speed = body.speed
        if body.skew is not None:
            twilio.account.clock.skew = body.skew
        if body.calls_per_second is not None:
            twilio.account.calls_per_second = body.calls_per_second
    return _settings(twilio)


@router.post("/skip")
async def skip(twilio: TwilioHere, body: SkipBody) -> dict[str, Any]:
    """Let simulated time pass at once."""
    twilio.account.clock.skip(body.seconds)
    twilio.account.when_something_happens()
    return {"skipped": body.seconds}


@router.post("/reset")
async def reset(twilio: TwilioHere) -> dict[str, Any]:
    """As at the start: no calls, scripts, faults, requests."""
    twilio.reset()
    return {"reset": True}


@router.get("/endings")
async def show_endings(twilio: TwilioHere) -> dict[str, Any]:
    """Every number that has an ending of its own."""
    return twilio.account.script.as_dict()


@router.post("/endings")
async def script(twilio: TwilioHere, body: EndingsBody) -> dict[str, Any]:
    """Say how calls to a number end."""
    endings: Any = body.endings
    try:
        twilio.account.script.set(body.number, as_endings(endings))
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    return {body.number: twilio.account.script.as_dict()[body.number]}


@router.post("/numbers")
async def own(twilio: TwilioHere, body: NumberBody) -> dict[str, Any]:
    """Let calls come from a number."""
    return {"phone_number": body.phone_number, "sid": twilio.account.own(body.phone_number).sid}


@router.get("/requests")
async def show_requests(
    twilio: TwilioHere, operation: Operation | None = None, since: int = 0
) -> list[dict[str, Any]]:
    """Every request received, oldest first; ``since`` leaves out those numbered lower."""
    wanted = (request for request in twilio.log.all() if request.number >= since)
    return [request.as_dict() for request in wanted if operation in (None, request.operation)]


@router.get("/refused")
async def show_refused(twilio: TwilioHere) -> list[dict[str, Any]]:
    """The requests Twilio would not have understood."""
    return [request.as_dict() for request in twilio.log.all() if request.refused is not None]


@router.get("/calls")
async def show_calls(twilio: TwilioHere) -> list[dict[str, Any]]:
    """All calls as the API shows them, oldest first, with what was said and pressed."""
    return calls_of(twilio)


@router.post("/calls/{sid}/end")
async def end_call(twilio: TwilioHere, sid: str, body: EndBody) -> dict[str, Any]:
    """End a call as somebody else would: canceled or completed."""
    call = twilio.account.end(sid, body.status)
    return call_body(call, twilio.account.clock)


@router.post("/calls/{sid}/press")
async def press_keys(twilio: TwilioHere, sid: str, body: PressBody) -> dict[str, Any]:
    """Press keys on the callee's phone, now."""
    call = twilio.account.press(sid, body.keys)
    return shown(call, twilio.account.clock)


@router.get("/calls/{sid}/transcript")
async def show_transcript(twilio: TwilioHere, sid: str) -> list[dict[str, Any]]:
    """What was said, played, pressed and asked in a call, in order."""
    call = twilio.account.find(sid)
    return transcript_of(call, twilio.account.clock)


@router.get("/webhooks")
async def show_webhooks(twilio: TwilioHere) -> list[dict[str, Any]]:
    """Every request made, or not made, to a URL that a call was given."""
    return webhook_dicts(twilio.account)


@router.get("/faults")
async def show_faults(twilio: TwilioHere) -> list[dict[str, Any]]:
    """The faults injected, and how often each has struck."""
    return twilio.faults.as_list()


@router.post("/faults", status_code=201)
async def inject(twilio: TwilioHere, fault: Fault) -> dict[str, str]:
    """Inject a fault."""
    return {"id": twilio.faults.inject(fault)}


@router.delete("/faults")
async def clear_faults(twilio: TwilioHere) -> dict[str, bool]:
    """Clear all faults."""
    return {"cleared": twilio.faults.clear()}


@router.delete("/faults/{fault_id}")
async def clear_fault(twilio: TwilioHere, fault_id: str) -> dict[str, bool]:
    """Clear one fault."""
    if not twilio.faults.clear(fault_id):
        raise HTTPException(404, f"there is no fault {fault_id}")
    return {"cleared": True}


def calls_of(twilio: Twilio) -> list[dict[str, Any]]:
    """All calls that were not deleted, oldest first."""
    account = twilio.account
    with account.lock:
        return [shown(call, account.clock) for call in account.calls() if not call.deleted]


def shown(call: SimulatedCall, clock: Clock) -> dict[str, Any]:
    """A call as the API shows it, and what was said and pressed in it."""
    return {**call_body(call, clock), **summary_of(call)}


def _settings(twilio: Twilio) -> dict[str, Any]:
    clock = twilio.account.clock
    return {
        "speed": clock.speed,
        "skew": clock.skew,
        "calls_per_second": twilio.account.calls_per_second,
        "trial": twilio.account.is_trial,
    }
