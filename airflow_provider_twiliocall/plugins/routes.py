"""The receiver's routes: how a call goes, which key was pressed, and a check that it can be reached.

Who has not the signature of Twilio learns nothing here, not even whether a call exists.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from airflow_provider_twiliocall.answers.call_address import CallAddress
from airflow_provider_twiliocall.plugins.answering import NOT_ASKED, reply_to_key
from airflow_provider_twiliocall.plugins.gate import Gate, look_up_webhook
from airflow_provider_twiliocall.plugins.task_record import task_of
from airflow_provider_twiliocall.plugins.waker import Waker
from airflow_provider_twiliocall.twilio.call import CallStatus
from airflow_provider_twiliocall.twilio.signature import HEADER

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

CHECK_BODY = "airflow-provider-twiliocall receives callbacks here\n"
"""What a set-up check compares: Airflow answers paths that it does not know with a page of its own."""

# Twilio's are below 2 KB.
LONGEST_BODY = 16_384
_MOST_FIELDS = 200

_FORM = "application/x-www-form-urlencoded"

Form = list[tuple[str, str]]


async def _read_address(conn_id: str, task_instance_id: str, token: str) -> CallAddress:
    try:
        return CallAddress.of(conn_id, task_instance_id, token)
    except ValueError:
        raise HTTPException(403) from None


Address = Annotated[CallAddress, Depends(_read_address)]


def open_session() -> AbstractContextManager[Session]:
    """Open a session of Airflow's database, which is committed at its end."""
    from airflow.utils.session import create_session

    return create_session()


def build_app() -> FastAPI:
    """Build the app."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gate, waker = Gate(look_up_webhook), Waker(open_session)

    async def let_in(
        request: Request, conn_id: str, url_at: Callable[[str], str]
    ) -> tuple[str, dict[str, str]]:
        """Return where the receiver is, and the form, of a request that Twilio has signed."""
        form = await _read_form(request)
        webhook = None
        if form is not None:
            signature = request.headers.get(HEADER, "")
            # A look at the connection may take a while.
            webhook = await run_in_threadpool(gate.may_enter, conn_id, url_at, form, signature)
        if form is None or webhook is None:
            raise HTTPException(429 if gate.is_too_much() else 403)
        return webhook.receiver_url, dict(form)

    @app.get("/check")
    async def check() -> Response:
        return PlainTextResponse(CHECK_BODY)

    @app.post("/status/{conn_id}/{task_instance_id}/{token}")
    async def status(address: Address, request: Request) -> Response:
        _, form = await let_in(request, address.conn_id, address.status_url)
        await run_in_threadpool(_wake, waker, address, form)
        return Response(status_code=204)

    @app.post("/answer/{conn_id}/{task_instance_id}/{token}/{asked}")
    async def answer(address: Address, asked: str, request: Request) -> Response:
        if not (asked.isascii() and asked.isdigit()):
            raise HTTPException(403)
        times = int(asked)
        receiver_url, form = await let_in(
            request, address.conn_id, lambda receiver_url: address.answer_url(receiver_url, times)
        )
        again_at = address.answer_url(receiver_url, times + 1)
        twiml = await run_in_threadpool(_answer, address, times, form, again_at)
        return Response(twiml, media_type="text/xml")

    return app


async def _read_form(request: Request) -> Form | None:
    """Read what Twilio sends, and no more than that; None for anything else."""
    if request.url.query or not request.headers.get("content-type", "").startswith(_FORM):
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise HTTPException(413)
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        return None


def _wake(waker: Waker, address: CallAddress, form: dict[str, str]) -> None:
    """Have the task looked after that waits for a call, if the call has ended."""
    try:
        is_over = CallStatus(form.get("CallStatus", "")).is_terminal
    except ValueError:
        is_over = False
    if not is_over:
        return
    with open_session() as session:
        task = task_of(session, address.task_instance_id)
    if task is not None:
        waker.wake(task, form.get("CallSid", ""))


def _answer(address: CallAddress, asked: int, form: dict[str, str], again_at: str) -> str:
    with open_session() as session:
        task = task_of(session, address.task_instance_id)
        if task is None:
            return NOT_ASKED
        return reply_to_key(
            session,
            task,
            token=address.token,
            call_sid=form.get("CallSid", ""),
            key=form.get("Digits", ""),
            asked=asked,
            again_at=again_at,
        )
