"""Ways to wait for a call in a triggerer: ours, and what other providers and the official SDK lead to."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.waiting.server import ACCOUNT

POLL_INTERVAL_S = 5.0
TOKEN = "token"

OVER = ("completed", "busy", "failed", "no-answer", "canceled")

Wait = Callable[[str], Awaitable[None]]
"""Waits for the call with this SID."""


def session_per_poll(url: str) -> Wait:
    """A new aiohttp session for each poll, as in most providers' triggers."""
    import aiohttp

    auth = aiohttp.BasicAuth(ACCOUNT, TOKEN)

    async def status_of(sid: str) -> str:
        path = f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json"
        async with aiohttp.ClientSession(auth=auth) as session, session.get(f"{url}{path}") as answer:
            answer.raise_for_status()
            return (await answer.json())["status"]

    return _polling(status_of)


def http_provider(url: str) -> Wait:
    """The hook of Airflow's http provider, in its way of making a session."""
    import aiohttp

    _set_connection("http_bench", {"conn_type": "http", "host": url, "login": ACCOUNT, "password": TOKEN})
    from airflow.providers.http.hooks.http import HttpAsyncHook

    hook = HttpAsyncHook(method="GET", http_conn_id="http_bench")

    async def status_of(sid: str) -> str:
        async with aiohttp.ClientSession() as session:
            path = f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json"
            answer = await hook.run(session=session, endpoint=path)
            return (await answer.json())["status"]

    return _polling(status_of)


def twilio_sdk(url: str) -> Wait:
    """The official SDK with its client for asyncio, one for all waits."""
    from twilio.http.async_http_client import AsyncTwilioHttpClient
    from twilio.rest import Client

    class ToTheServer(AsyncTwilioHttpClient):
        async def request(self, method: str, uri: str, *args: Any, **kwargs: Any) -> Any:
            return await super().request(method, uri.replace("https://api.twilio.com", url), *args, **kwargs)

    clients: list[Any] = []

    async def status_of(sid: str) -> str:
        if not clients:
            # It wants a running event loop.
            clients.append(Client(ACCOUNT, TOKEN, http_client=ToTheServer()))
        return (await clients[0].calls(sid).fetch_async()).status

    return _polling(status_of)


def us(url: str) -> Wait:
    """TwilioCallTrigger."""
    _set_connection("twilio_bench", {"conn_type": "twilio", "host": url, "login": ACCOUNT, "password": TOKEN})
    from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger

    async def wait(sid: str) -> None:
        async for event in TwilioCallTrigger("twilio_bench", sid, POLL_INTERVAL_S).run():
            assert event.payload["reason"] == "completed", event

    return wait


PEERS: dict[str, Callable[[str], Wait]] = {
    "one aiohttp session per poll": session_per_poll,
    "http provider's hook": http_provider,
    "twilio SDK, one async client": twilio_sdk,
    "us": us,
}


def _polling(status_of: Callable[[str], Awaitable[str]]) -> Wait:
    async def wait(sid: str) -> None:
        while await status_of(sid) not in OVER:
            await asyncio.sleep(POLL_INTERVAL_S)

    return wait


def _set_connection(conn_id: str, connection: dict[str, str]) -> None:
    os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(connection)
