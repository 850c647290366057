"""The receiver as Airflow mounts it, in a server on this machine, and Twilio's side of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from airflow_provider_twiliocall.answers.call_address import CallAddress
from airflow_provider_twiliocall.plugins.receiver import MOUNTED_AT, LazyReceiver
from airflow_provider_twiliocall.twilio.signature import HEADER, sign
from tests.support.airflow_database import make_tables

TIMEOUT_S = 30


@contextmanager
def mounted_receiver(path: str = "") -> Iterator[str]:
    """A server with the receiver; gives the public address to configure.

    :param path: under which the API server is reached, as ``[api] base_url`` may have one
    """
    make_tables()
    app = Starlette(routes=[Mount(path + MOUNTED_AT, LazyReceiver())])
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}{path}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


class Sender:
    """Sends what Twilio sends.

    :param url: the public address
    """

    def __init__(self, url: str, address: CallAddress, auth_token: str) -> None:
        self.receiver_url = url + MOUNTED_AT
        self.address = address
        self.auth_token = auth_token

    def status(self, call_sid: str, status: str = "completed") -> requests.Response:
        """Say how a call goes."""
        url = self.address.status_url(self.receiver_url)
        return self.send(url, {"CallSid": call_sid, "CallStatus": status, "To": "+15005550006"})

    def press(self, key: str, *, asked: int = 1, call_sid: str = "CA1") -> requests.Response:
        """Say which key was pressed; empty for none."""
        url = self.address.answer_url(self.receiver_url, asked)
        return self.send(url, {"CallSid": call_sid, **({"Digits": key} if key else {})})

    def send(self, url: str, form: dict[str, str], signature: str | None = None) -> requests.Response:
        """Send a form, signed unless another signature is given."""
        made = sign(self.auth_token, url, form.items()) if signature is None else signature
        return requests.post(url, form, headers={HEADER: made} if made else {}, timeout=TIMEOUT_S)
