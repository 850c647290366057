"""Sends webhooks when they are due, signed as Twilio signs, to this machine only."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

from airflow_provider_twiliocall.simulator.calls.account import Account
from airflow_provider_twiliocall.simulator.calls.simulated_call import Form, SimulatedCall, WebhookExchange
from airflow_provider_twiliocall.simulator.webhooks.webhook import Webhook, webhooks_for
from airflow_provider_twiliocall.twilio.signature import sign

# Twilio waits 15 s for an answer to a webhook; real seconds, as they are the receiver's.
TIMEOUT = 15.0
NOT_SENT = "not sent: the simulator only calls URLs on this machine (127.0.0.1, ::1, localhost)"
_SHORTEST_NAP = 0.005


class Webhooks:
    """While entered, sends the webhooks of a call when something happens to it.

    The callbacks of one call are sent one after the other, those of different calls side by side. Requests for
    TwiML do not wait for callbacks.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="twilio-simulator-webhook")
        self._last_of: dict[tuple[str, bool], asyncio.Task[None]] = {}

    async def __aenter__(self) -> Webhooks:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._account.when_something_happens = self._wake_up
        self._task = self._loop.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._account.when_something_happens = lambda: None
        tasks = [self._task, *self._last_of.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _wake_up(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _run(self) -> None:
        account = self._account
        while True:
            self._wake.clear()
            with account.lock:
                now = account.advance()
                due = [hook for event in account.take_events() for hook in webhooks_for(event, account.clock)]
                next_instant = account.next_instant()
            for hook in due:
                self._send_after_the_last(hook)
            nap = None if next_instant is None else max(next_instant - now, _SHORTEST_NAP)
            try:
                await asyncio.wait_for(self._wake.wait(), nap)
            except asyncio.TimeoutError:
                continue

    def _send_after_the_last(self, hook: Webhook) -> None:
        row = hook.call.sid, hook.asking is not None
        before = self._last_of.get(row)

        async def send() -> None:
            if before is not None:
                await asyncio.wait([before])
            exchange = await self._loop.run_in_executor(self._threads, self._exchange, hook)
            hook.call.exchanges.append(exchange)
            if hook.asking is not None:
                self._account.take_answer(hook.call, hook.asking, exchange)

        task = self._loop.create_task(send())
        self._last_of[row] = task
        task.add_done_callback(lambda done: self._forget(row, done))

    def _forget(self, row: tuple[str, bool], done: asyncio.Task[None]) -> None:
        if self._last_of.get(row) is done:
            del self._last_of[row]

    def _exchange(self, hook: Webhook) -> WebhookExchange:
        """Send one webhook, or note why not."""
        started, at = time.monotonic(), self._account.clock.now()
        token = self._account.credentials.auth_token
        url, form = _address(hook)
        status: int | None = None
        content_type = body = ""
        note = NOT_SENT
        if is_loopback(url):
            try:
                response = _send(hook.method, url, form, sign(token, url, form))
                status, content_type, body = (
                    response.status_code,
                    response.headers.get("content-type", ""),
                    response.text,
                )
                note = ""
            except requests.RequestException as error:
                note = f"no answer: {error}"
        took = time.monotonic() - started
        return WebhookExchange(at, hook.method, url, hook.params, status, content_type, body, took, note)


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine and nowhere else."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def webhook_dicts(account: Account) -> list[dict[str, Any]]:
    """Every webhook so far, in order, as JSON; ``note`` says why one was not sent or not answered."""
    with account.lock:
        pairs = [(call, exchange) for call in account.calls() for exchange in list(call.exchanges)]
    pairs.sort(key=lambda pair: pair[1].at)
    return [_as_dict(call, exchange) for call, exchange in pairs]


def _as_dict(call: SimulatedCall, exchange: WebhookExchange) -> dict[str, Any]:
    return {
        "call_sid": call.sid,
        "at": exchange.at,
        "method": exchange.method,
        "url": exchange.url,
        "params": dict(exchange.params),
        "status": exchange.status,
        "body": exchange.body,
        "note": exchange.note,
    }


def _address(hook: Webhook) -> tuple[str, Form]:
    """Where a webhook goes, and its form: a GET carries all in the URL."""
    if hook.method == "POST":
        return hook.url, hook.params
    joint = "&" if urlsplit(hook.url).query else "?"
    return hook.url + joint + urlencode(hook.params), ()


def _send(method: str, url: str, form: Form, signature: str) -> requests.Response:
    headers = {"X-Twilio-Signature": signature, "User-Agent": "TwilioProxy/1.1", "Accept": "*/*"}
    with requests.Session() as session:
        # No proxy from the environment and no redirect: this must not leave the machine.
        session.trust_env = False
        return session.request(
            method, url, data=list(form) or None, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
