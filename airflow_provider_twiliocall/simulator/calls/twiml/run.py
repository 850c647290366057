"""The interpreter: where a call stands in its TwiML, and what comes next when a key is pressed or time is up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

from airflow_provider_twiliocall.simulator.calls.twiml.verbs import (
    Dial,
    Document,
    Flaw,
    Gather,
    Hangup,
    Record,
    Redirect,
    Sound,
    Verb,
)

Params: TypeAlias = "tuple[tuple[str, str], ...]"

MOST_REQUESTS_IN_A_ROW = 50
"""Documents that may follow each other without a moment passing on the phone. Twilio's own limit is unknown."""

SORRY = Sound("Say", "We are sorry, an application error has occurred. Goodbye.", 4.0)
"""What the callee hears when Twilio cannot go on."""


@dataclass(frozen=True)
class Wait:
    """Nothing happens for so many seconds, unless a key is pressed."""

    seconds: float
    sound: Sound | None = None


@dataclass(frozen=True)
class Ask:
    """Ask a web server for the next document. The parameters are those besides the call's own."""

    url: str
    method: str
    params: Params = ()


@dataclass(frozen=True)
class Fail:
    """Twilio cannot go on with this document."""

    flaw: Flaw


@dataclass(frozen=True)
class End:
    """The TwiML is over.

    :param hung_up: whether it says so itself (``<Hangup>``), and did not just come to its end.
    """

    hung_up: bool = False


Step: TypeAlias = "Wait | Ask | Fail | End"


@dataclass(frozen=True)
class Run:
    """Where a call stands in its TwiML.

    :param url: where the document comes from; empty if it came with the call.
    :param rest: the verbs after the current one.
    :param sounds: of a ``<Gather>``, what is still to be heard after what is heard now.
    :param is_silent: of a ``<Gather>``, whether everything was heard and its timeout runs.
    :param requests: how many documents were asked for since the last moment passed.
    :param has_listened: whether anything was asked of the callee so far.
    """

    url: str = ""
    rest: tuple[Verb, ...] = ()
    current: Verb | None = None
    sounds: tuple[Sound, ...] = ()
    is_silent: bool = False
    digits: str = ""
    requests: int = 0
    has_listened: bool = False

    @property
    def hears_keys(self) -> bool:
        """Whether a key that is pressed now counts."""
        return isinstance(self.current, Record) or (
            isinstance(self.current, Gather) and self.current.hears_keys
        )


Turn: TypeAlias = "tuple[Run, Step]"


def begin(document: Document, url: str, before: Run | None = None) -> Turn:
    """Execute a document from its start.

    :param before: where the call stood in the document that led here.
    """
    before = before or Run()
    return _go_on(Run(url, document.verbs, requests=before.requests, has_listened=before.has_listened))


def apologize(before: Run) -> Turn:
    """Say that there was an error, and end the call."""
    run = Run(rest=(SORRY, Hangup()), has_listened=before.has_listened)
    return _go_on(run)


def time_up(run: Run) -> Turn:
    """Go on after the seconds of a :class:`Wait`."""
    current = run.current
    if isinstance(current, Gather):
        if not run.is_silent:
            return _listen(run, current)
        if run.digits or current.action_on_empty_result:
            return _hand_in(run, current)
    elif isinstance(current, Record):
        return _recorded(run, current, current.seconds, ())
    elif isinstance(current, Dial) and current.action is not None:
        params = (("DialCallStatus", "completed"), ("DialCallDuration", f"{current.seconds:.0f}"))
        return _ask(run, current.action, current.method, params)
    return _go_on(run)


def press(run: Run, key: str, elapsed: float) -> Turn | None:
    """Go on after a key; None if it changes nothing, since nobody listens or no such key is waited for.

    Any key stops what is being said (Twilio's page on ``<Gather>``, "Nest other verbs").

    :param elapsed: seconds since the last :class:`Wait` began.
    """
    current = run.current
    if not run.hears_keys:
        return None
    if isinstance(current, Record):
        if key not in current.finish_on_key:
            return None
        return _recorded(run, current, elapsed, (("Digits", key),))
    assert isinstance(current, Gather)
    if key == current.finish_on_key:
        # It only ends what has begun: "finishOnKey only works when a digit sequence precedes it".
        return _hand_in(run, current, key) if run.digits else _wait_for_key(run, current)
    run = replace(run, digits=run.digits + key)
    if current.num_digits is not None and len(run.digits) >= current.num_digits:
        return _hand_in(run, current)
    return _wait_for_key(run, current)


def _go_on(run: Run) -> Turn:
    """Turn to the next verb. Sounds without length are passed over."""
    if not run.rest:
        return replace(run, current=None), End()
    verb = run.rest[0]
    run = replace(run, current=verb, rest=run.rest[1:], sounds=(), is_silent=False, digits="")
    if isinstance(verb, Sound):
        return _wait(run, verb.seconds, verb)
    if isinstance(verb, Redirect):
        return _ask(run, verb.url, verb.method)
    if isinstance(verb, Hangup):
        return run, End(hung_up=True)
    run = replace(run, has_listened=True)
    if isinstance(verb, Gather):
        return _listen(replace(run, sounds=verb.sounds), verb)
    return _wait(run, verb.seconds)


def _listen(run: Run, gather: Gather) -> Turn:
    """What is heard next while keys are waited for."""
    if not run.sounds:
        return _wait_for_key(run, gather)
    sound = run.sounds[0]
    return _wait(replace(run, sounds=run.sounds[1:]), sound.seconds, sound)


def _wait_for_key(run: Run, gather: Gather) -> Turn:
    return _wait(replace(run, sounds=(), is_silent=True), gather.timeout)


def _hand_in(run: Run, gather: Gather, finished_on: str = "") -> Turn:
    params: Params = (("Digits", run.digits),) if run.digits else ()
    if finished_on:
        params += (("FinishedOnKey", finished_on),)
    return _ask(run, gather.action, gather.method, params)


def _recorded(run: Run, record: Record, seconds: float, params: Params) -> Turn:
    return _ask(run, record.action, record.method, (("RecordingDuration", f"{seconds:.0f}"), *params))


def _wait(run: Run, seconds: float, sound: Sound | None = None) -> Turn:
    return (replace(run, requests=0) if seconds > 0 else run), Wait(seconds, sound)


def _ask(run: Run, url: str, method: str, params: Params = ()) -> Turn:
    """Ask for the document at a URL that may be relative to the current document's."""
    try:
        address = urljoin(run.url, url) if url else run.url
        parts = urlsplit(address)
        absolute = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        address, absolute = url, False
    if not absolute:
        code, message = 11100, f"Invalid URL format: {address!r}"
        if not run.url:
            code = 15004
            message = f"Invalid URL: {url!r} is not absolute, and TwiML that came with the call has no URL of its own"
        return run, Fail(Flaw(code, message, is_error=True))
    if run.requests >= MOST_REQUESTS_IN_A_ROW:
        return run, Fail(Flaw(11215, "Too many redirects without a word in between", is_error=True))
    return replace(run, requests=run.requests + 1), Ask(address, method, params)
