"""Twilio's REST API as FastAPI routes: calls and what hangs below them, the account, its phone numbers."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from airflow_provider_twiliocall.simulator.calls.account import Account
from airflow_provider_twiliocall.simulator.calls.simulated_call import Form, SimulatedCall
from airflow_provider_twiliocall.simulator.fault import Fault, FaultKind
from airflow_provider_twiliocall.simulator.problem import Problem
from airflow_provider_twiliocall.simulator.twilio_api import resources
from airflow_provider_twiliocall.simulator.twilio_api.authentication import check_credentials
from airflow_provider_twiliocall.simulator.twilio_api.call_list import Page, Paging, list_calls
from airflow_provider_twiliocall.simulator.twilio_api.form import check_names, read_form, read_pairs
from airflow_provider_twiliocall.simulator.twilio_api.validation import check_create, check_update
from airflow_provider_twiliocall.twilio.call import CallStatus

# How long after a call's end its events can be read, in simulated seconds.
EVENTS_LAST = 15 * 60


async def authenticated_account(request: Request, account_sid: str) -> Account:
    """The account, if the credentials allow it."""
    account: Account = request.app.state.twilio.account
    is_account_itself = request.url.path.count("/") == 3
    check_credentials(
        account, request.headers.get("authorization", ""), account_sid, is_account_itself=is_account_itself
    )
    return account


async def query_pairs(request: Request) -> Form:
    """The query, pair by pair."""
    try:
        return read_pairs(request.url.query)
    except ValueError as error:
        raise Problem(20001, f"the query cannot be read ({error})") from error


async def form_pairs(request: Request) -> Form:
    """The form, pair by pair; a query as well is refused."""
    if request.url.query:
        raise Problem(20001, "parameters belong in the form, not in the query")
    return read_form(await request.body(), request.headers.get("content-type", ""))


async def reading_fault(request: Request) -> Fault | None:
    """The fault that changes what this request reads, if one does."""
    fault: Fault | None = getattr(request.state, "reading_fault", None)
    return fault


AccountHere = Annotated[Account, Depends(authenticated_account)]
QueryPairs = Annotated[Form, Depends(query_pairs)]
FormPairs = Annotated[Form, Depends(form_pairs)]
ReadingFault = Annotated[Any, Depends(reading_fault)]

router = APIRouter(prefix="/2010-04-01/Accounts", include_in_schema=False)


@router.get("/{account_sid}.json")
async def fetch_account(account: AccountHere, query: QueryPairs) -> Response:
    """Read the account."""
    check_names(query, ())
    return JSONResponse(resources.account_body(account))


@router.get("/{account_sid}/IncomingPhoneNumbers.json")
async def list_numbers(account: AccountHere, query: QueryPairs) -> Response:
    """List the numbers calls may come from."""
    check_names(query, ("PhoneNumber", "FriendlyName", "Beta", "Origin", "PageSize", "Page", "PageToken"))
    asked = dict(query)
    numbers = [resources.number_body(number, account) for number in account.numbers.values()]
    if "PhoneNumber" in asked:
        wanted = asked["PhoneNumber"].strip("*")
        numbers = [number for number in numbers if wanted in number["phone_number"]]
    if "FriendlyName" in asked:
        numbers = [number for number in numbers if number["friendly_name"] == asked["FriendlyName"]]
    if asked.get("Beta") == "true" or asked.get("Origin", "twilio") != "twilio":
        numbers = []
    path = f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers.json"
    return _short_list(path, query, "incoming_phone_numbers", numbers)


@router.post("/{account_sid}/Calls.json")
async def create_call(request: Request, account: AccountHere, form: FormPairs) -> Response:
    """Place a call."""
    check_create(form, account)
    call = account.create(form)
    request.state.created_call = call.sid
    return JSONResponse(resources.call_body(call, account.clock), status_code=201)


@router.get("/{account_sid}/Calls.json")
async def read_calls(account: AccountHere, query: QueryPairs, fault: ReadingFault) -> Response:
    """List calls."""
    newest = account.clock.now() - fault.seconds if fault is not None else None
    with account.lock:
        calls, page = list_calls(account, query, newest=newest)
        return JSONResponse(page.body("calls", [resources.call_body(call, account.clock) for call in calls]))


@router.get("/{account_sid}/Calls/{sid}.json")
async def fetch_call(account: AccountHere, sid: str, query: QueryPairs, fault: ReadingFault) -> Response:
    """Read a call."""
    check_names(query, ())
    with account.lock:
        call = account.find(sid)
        return JSONResponse(resources.call_body(call, account.clock, _as_seen(call, fault, account)))


@router.post("/{account_sid}/Calls/{sid}.json")
async def update_call(account: AccountHere, sid: str, form: FormPairs) -> Response:
    """Change or end a call."""
    changes = check_update(form)
    with account.lock:
        status = changes.pop("Status", None)
        call = account.change(sid, changes) if changes else account.find(sid)
        if status is not None:
            account.end(sid, CallStatus(status))
        return JSONResponse(resources.call_body(call, account.clock))


@router.delete("/{account_sid}/Calls/{sid}.json")
async def delete_call(account: AccountHere, sid: str, query: QueryPairs) -> Response:
    """Forget a finished call."""
    check_names(query, ())
    account.delete(sid)
    return Response(status_code=204)


@router.get("/{account_sid}/Calls/{sid}/Recordings.json")
async def list_recordings(account: AccountHere, sid: str, query: QueryPairs) -> Response:
    """List a call's recordings."""
    check_names(query, ("DateCreated", "DateCreated<", "DateCreated>", "PageSize", "Page", "PageToken"))
    with account.lock:
        call = account.find(sid)
        items = [resources.recording_body(call, account.clock)] if call.recording else []
    return _short_list(f"{resources.call_uri(call)}/Recordings.json", query, "recordings", items)


@router.get("/{account_sid}/Calls/{sid}/Notifications.json")
async def list_notifications(account: AccountHere, sid: str, query: QueryPairs) -> Response:
    """List what Twilio's debugger says about a call."""
    dates = ("MessageDate", "MessageDate<", "MessageDate>")
    check_names(query, ("Log", *dates, "PageSize", "Page", "PageToken"))
    level = dict(query).get("Log")
    with account.lock:
        call = account.find(sid)
        items = [resources.notification_body(call, each, account.clock) for each in call.notifications]
    items = [item for item in items if level in (None, item["log"])]
    return _short_list(f"{resources.call_uri(call)}/Notifications.json", query, "notifications", items)


@router.get("/{account_sid}/Calls/{sid}/Events.json")
async def list_events(account: AccountHere, sid: str, query: QueryPairs) -> Response:
    """List the requests Twilio made about a call, from 15 minutes after its end."""
    check_names(query, ("PageSize", "Page", "PageToken"))
    with account.lock:
        call = account.find(sid)
        now, clock = account.clock.now(), account.clock
        readable = call.ended_at is not None and clock.seconds_between(call.ended_at, now) >= EVENTS_LAST
        items = [resources.event_body(each, clock) for each in call.exchanges if readable and not each.note]
    return _short_list(f"{resources.call_uri(call)}/Events.json", query, "events", items)


def _as_seen(call: SimulatedCall, fault: Fault | None, account: Account) -> float | None:
    """The instant at which the call is shown; None for now."""
    if fault is None:
        return None
    now = account.clock.now()
    if fault.kind is FaultKind.NOT_FOUND:
        if fault.seconds is None or now - call.created_at < fault.seconds:
            raise Problem(20404, f"{resources.call_uri(call)}.json")
        return None
    # An idle queue lets a call go at the instant of its creation, so look just before it.
    created = math.nextafter(call.created_at, 0)
    return created if fault.seconds is None else max(created, now - fault.seconds)


def _short_list(path: str, query: Form, key: str, items: list[dict[str, Any]]) -> Response:
    """A list that fits one page."""
    page = Page(path, query, Paging.of(dict(query)))
    return JSONResponse(page.body_of_all(key, items))
