"""What a call has to say and what was answered so far: its TwiML, its keys, the request it waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.twiml.run import Ask, Run


class Line(str, Enum):
    """A kind of line in a transcript."""

    SAID = "said"
    PLAYED = "played"
    PRESSED = "pressed"
    ASKED = "asked"
    NOT_SIMULATED = "not simulated"


@dataclass
class Heard:
    """Something said, played, pressed or asked.

    :param at: the instant.
    :param text: the words, the URL, the key.
    :param cut_after: simulated seconds after which a key cut it short; None: it was heard whole, or the call ended.
    :param counted: whether a key was waited for.
    """

    at: float
    line: Line
    text: str
    cut_after: float | None = None
    counted: bool = True


@dataclass(frozen=True)
class Asking:
    """A request that was sent to a web server.

    :param at: the instant of the call.
    :param since: the same moment on the clock that no skip moves.
    """

    ask: Ask
    at: float
    since: float
    is_fallback: bool = False

    def time_of_call(self, clock: Clock, now: float) -> float:
        """The instant that the call has reached: that of the request, plus the whole seconds the server has taken."""
        return min(now, clock.after(self.at, int(clock.read() - self.since)))


@dataclass
class Conversation:
    """How a call's TwiML goes.

    :param turn: changes with every step, so that what was planned for an earlier one is recognised.
    :param question: changes with every ``<Gather>``.
    :param begun_at: the instant at which the TwiML began for the first time.
    :param since: the instant of the last step.
    :param hearing: what is being said or played.
    :param next_press: which of the scripted presses comes next, and which key of it.
    :param is_over: whether the TwiML has come to its end.
    """

    run: Run = field(default_factory=Run)
    turn: int = 0
    question: int = 0
    begun_at: float = 0.0
    since: float = 0.0
    hearing: Heard | None = None
    asking: Asking | None = None
    next_press: tuple[int, int] = (0, 0)
    is_over: bool = True
    transcript: list[Heard] = field(default_factory=list)
