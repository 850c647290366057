"""A simulator to talk to: through the official SDK, through bare HTTP, and as somebody who gets its callbacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twilio.rest import Client

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.simulator.sdk import sdk_client
from tests.integration.simulator.webhook_receiver import WebhookReceiver, webhook_receiver
from tests.integration.simulator.wire import Wire


@pytest.fixture
def client(twilio_simulator: TwilioSimulator) -> Client:
    """The official SDK, with the account's token."""
    return sdk_client(twilio_simulator)


@pytest.fixture
def wire(twilio_simulator: TwilioSimulator) -> Iterator[Wire]:
    """Bare HTTP, with the account's token."""
    wire = Wire(twilio_simulator)
    with wire.session:
        yield wire


@pytest.fixture(scope="module")
def trial() -> Iterator[TwilioSimulator]:
    """A trial account."""
    with TwilioSimulator(speed=100, trial=True) as simulator:
        yield simulator


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """Somebody's web server, which Twilio calls."""
    with webhook_receiver() as receiver:
        yield receiver
