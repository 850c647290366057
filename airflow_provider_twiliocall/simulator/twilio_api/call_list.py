"""The list of calls: Twilio's filters, newest first, and pages that do not change while new calls arrive."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any
from urllib.parse import urlencode

from airflow_provider_twiliocall.simulator.calls.account import Account
from airflow_provider_twiliocall.simulator.calls.simulated_call import Form, SimulatedCall
from airflow_provider_twiliocall.simulator.problem import Problem
from airflow_provider_twiliocall.simulator.twilio_api.form import check_names
from airflow_provider_twiliocall.twilio.call import CallStatus

_PAGING = ("PageSize", "Page", "PageToken")
_DATES = ("StartTime", "StartTime<", "StartTime>", "EndTime", "EndTime<", "EndTime>")
FILTERS = ("To", "From", "ParentCallSid", "Status", *_DATES)
DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE = 1000

_STATUSES = frozenset(status.value for status in CallStatus)
Test = Callable[[SimulatedCall], bool]


@dataclass(frozen=True)
class Paging:
    """Which part of a list is asked for."""

    size: int
    page: int
    token: str

    @classmethod
    def of(cls, query: dict[str, str]) -> Paging:
        """What the query asks for; 20001 if Twilio would not understand it."""
        size, page = query.get("PageSize", str(DEFAULT_PAGE_SIZE)), query.get("Page", "0")
        if not re.fullmatch(r"\d{1,6}", size) or not 1 <= int(size) <= LARGEST_PAGE:
            raise Problem(20001, f"PageSize={size!r} is not from 1 to {LARGEST_PAGE}")
        if not re.fullmatch(r"\d{1,9}", page):
            raise Problem(20001, f"Page={page!r} is not a number")
        return cls(int(size), int(page), query.get("PageToken", ""))


def list_calls(
    account: Account, query: Form, *, newest: float | None = None
) -> tuple[list[SimulatedCall], Page]:
    """One page of the calls that a query asks for.

    :param newest: leave out calls created after this instant (Twilio's lists may lag).
    """
    check_names(query, (*FILTERS, *_PAGING))
    asked = dict(query)
    paging = Paging.of(asked)
    tests = [_test(name, asked[name], account) for name in FILTERS if name in asked]
    if newest is not None:
        limit = newest
        tests.append(lambda call: call.created_at <= limit)
    calls = account.calls(to=asked.get("To"))
    page = Page(f"/2010-04-01/Accounts/{account.sid}/Calls.json", query, paging)
    return page.cut(calls, lambda call: not call.deleted and all(test(call) for test in tests), account), page


class Page:
    """Where a page stands among the others: its numbers and the addresses of its neighbours.

    A token names the call at the page's edge, so a page stays what it was when newer calls arrive.
    """

    def __init__(self, path: str, query: Form, paging: Paging) -> None:
        self._path = path
        self._filters = tuple(pair for pair in query if pair[0] not in _PAGING)
        self._paging = paging
        self._next: str | None = None
        self._previous: str | None = None
        self._count = 0

    def cut(self, calls: Sequence[SimulatedCall], wanted: Test, account: Account) -> list[SimulatedCall]:
        """This page's calls out of all, which are given oldest first."""
        size = self._paging.size
        backwards = self._paging.token.startswith("PB")
        edge = self._edge(account)
        found: list[SimulatedCall] = []
        if edge is not None:
            at = bisect_left(calls, edge, key=lambda call: call.number)
            calls = calls[at + 1 :] if backwards else calls[:at]
        for call in calls if backwards else reversed(calls):
            if not wanted(call):
                continue
            found.append(call)
            if len(found) > size:
                break
        more = len(found) > size
        found = found[:size]
        if backwards:
            found.reverse()
        if found:
            self._next = f"PA{found[-1].sid}" if more or backwards else None
            self._previous = (
                f"PB{found[0].sid}" if self._paging.page > 0 and (more or not backwards) else None
            )
        self._count = len(found)
        return found

    def body_of_all(self, key: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        """A list whose pages are plain slices, for things other than calls."""
        start = self._paging.page * self._paging.size
        shown = items[start : start + self._paging.size]
        self._count = len(shown)
        self._next = "PAnext" if start + self._count < len(items) else None
        self._previous = "PBprevious" if start else None
        return self.body(key, shown)

    def _edge(self, account: Account) -> int | None:
        token = self._paging.token
        if not token:
            return None
        number = account.number_of(token[2:]) if token[:2] in ("PA", "PB") else None
        if number is None:
            raise Problem(20001, f"PageToken={token!r} is not one that was handed out")
        return number

    def body(self, key: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        """The page as Twilio writes it."""
        number, size = self._paging.page, self._paging.size
        start = number * size
        return {
            key: items,
            "page": number,
            "page_size": size,
            "start": start,
            "end": max(start, start + self._count - 1),
            "uri": self._uri(number, self._paging.token),
            "first_page_uri": self._uri(0, ""),
            "previous_page_uri": self._uri(number - 1, self._previous) if self._previous else None,
            "next_page_uri": self._uri(number + 1, self._next) if self._next else None,
        }

    def _uri(self, page: int, token: str) -> str:
        pairs = [*self._filters, ("PageSize", str(self._paging.size)), ("Page", str(max(page, 0)))]
        if token:
            pairs.append(("PageToken", token))
        return f"{self._path}?{urlencode(pairs)}"


def _test(name: str, value: str, account: Account) -> Test:
    if name == "To":
        return lambda call: call.to == value
    if name == "From":
        return lambda call: call.from_ == value
    if name == "ParentCallSid":
        return lambda call: False
    if name == "Status":
        if value not in _STATUSES:
            raise Problem(20001, f"Status={value!r} is none of {', '.join(sorted(_STATUSES))}")
        return lambda call: call.status.value == value
    return _date_test(name, value, account)


def _date_test(name: str, value: str, account: Account) -> Test:
    """Dates compare by the second; a value without a time of day means that whole day, in UTC.

    So does midnight without ``<`` or ``>``: the official SDK knows no other way to name a day.
    """
    wanted = _read_date(name, value)
    started = name.startswith("Start")
    comparison = name[-1]
    if comparison not in "<>" and value.endswith("T00:00:00Z"):
        wanted = _read_date(name, value[:10])
    whole_day = not isinstance(wanted, datetime)
    clock = account.clock

    def test(call: SimulatedCall) -> bool:
        instant = call.dialed_at if started else call.ended_at
        if instant is None:
            return False
        when: date = clock.date(instant)
        if whole_day:
            when = clock.date(instant).date()
        if comparison == "<":
            return when < wanted if whole_day else when <= wanted
        return when >= wanted if comparison == ">" else when == wanted

    return test


def _read_date(name: str, value: str) -> date:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return datetime.strptime(value, "%Y-%m-%d").date()
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise Problem(20001, f"{name}={value!r} is neither 2026-01-31 nor 2026-01-31T00:00:00Z") from error
