"""The ASGI application: Twilio's API and the control API on one port, errors in Twilio's shape."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from airflow_provider_twiliocall.simulator import control
from airflow_provider_twiliocall.simulator.problem import Problem
from airflow_provider_twiliocall.simulator.twilio import Twilio
from airflow_provider_twiliocall.simulator.twilio_api import api
from airflow_provider_twiliocall.simulator.twilio_api.exchange import App, Exchange
from airflow_provider_twiliocall.simulator.webhooks.sender import Webhooks

_CONTROL = "/simulator"


def create_app(twilio: Twilio) -> App:
    """The application around one simulated Twilio; while it runs, webhooks are sent."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Webhooks(twilio.account):
            yield

    app = FastAPI(
        title="Twilio simulator: control API",
        openapi_url="/simulator/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.twilio = twilio
    app.include_router(api.router)
    app.include_router(control.router)
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    return Exchange(app, twilio)


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    if request.url.path.startswith(_CONTROL):
        return JSONResponse({"detail": error.message}, status_code=error.status)
    request.state.code = error.code
    if not error.understood:
        request.state.refused = error.message
    headers = {"www-authenticate": 'Basic realm="Twilio API"'} if error.status == 401 else None
    return JSONResponse(error.body(), status_code=error.status, headers=headers)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """What has no route, or not with that method."""
    assert isinstance(error, HTTPException)
    if request.url.path.startswith(_CONTROL):
        return JSONResponse({"detail": error.detail}, status_code=error.status_code, headers=error.headers)
    if error.status_code == 405:
        return await _answer_problem(request, Problem(20004, understood=False))
    return await _answer_problem(request, Problem(20404, request.url.path, understood=False))
