"""The receiver, as Airflow mounts it: in the API server, at ``/twilio-call``.

Every process of Airflow's imports its plugins, so this module loads nothing: the app is built at its first request.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

# As in hooks/webhook_settings.py, which loads more than a plugin may cost.
MOUNTED_AT = "/twilio-call"

_Message = MutableMapping[str, Any]


class LazyReceiver:
    """An ASGI app that is built at its first request."""

    def __init__(self) -> None:
        self._app: Any = None
        self._building = threading.Lock()

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Answer a request."""
        if self._app is None:
            with self._building:
                if self._app is None:
                    from airflow_provider_twiliocall.plugins.routes import build_app

                    self._app = build_app()
        await self._app(scope, receive, send)


class TwilioCallPlugin(AirflowPlugin):
    """The plugin, by the entry point ``airflow.plugins``."""

    name = "twilio_call"
    fastapi_apps = [{"app": LazyReceiver(), "url_prefix": MOUNTED_AT, "name": "Twilio call receiver"}]  # noqa: RUF012
