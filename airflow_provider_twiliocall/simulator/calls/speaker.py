"""Executes the TwiML of calls in time: what is said when, which keys come, what is asked of web servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from airflow_provider_twiliocall.simulator.calls.call_life import SHORTEST_TALK, Planned
from airflow_provider_twiliocall.simulator.calls.call_life import Step as Happening
from airflow_provider_twiliocall.simulator.calls.clock import Clock
from airflow_provider_twiliocall.simulator.calls.conversation import Asking, Heard, Line
from airflow_provider_twiliocall.simulator.calls.presses import BETWEEN_KEYS
from airflow_provider_twiliocall.simulator.calls.simulated_call import (
    Notification,
    SimulatedCall,
    WebhookExchange,
    new_sid,
)
from airflow_provider_twiliocall.simulator.calls.twiml.reading import (
    UnreadableError,
    read_answer,
    read_twiml,
)
from airflow_provider_twiliocall.simulator.calls.twiml.run import (
    MOST_REQUESTS_IN_A_ROW,
    Ask,
    End,
    Fail,
    Run,
    Turn,
    Wait,
    apologize,
    begin,
    press,
    time_up,
)
from airflow_provider_twiliocall.simulator.calls.twiml.verbs import Document, Flaw, Gather


@dataclass(frozen=True)
class PhoneLine:
    """What the speaker needs of the account: to plan something, to have a request sent, to end a call."""

    clock: Clock
    plan_at: Callable[[SimulatedCall, float, Planned], None]
    send: Callable[[SimulatedCall, Asking], None]
    hang_up: Callable[[SimulatedCall, float], None]


class Speaker:
    """Goes through the TwiML of every call. Only to be used with the account's lock held."""

    def __init__(self, line: PhoneLine) -> None:
        self._line = line

    def begin(self, call: SimulatedCall, at: float) -> None:
        """Execute the instructions that a call came with. Twilio prefers ``Url`` to ``Twiml``."""
        call.conversation.begun_at = at
        self._instruct(call, call.get("Url"), call.get("Method", "POST"), call.get("Twiml"), at)

    def change(self, call: SimulatedCall, changes: dict[str, str], at: float) -> None:
        """Execute other instructions instead of what is being said."""
        self._instruct(
            call, changes.get("Url", ""), changes.get("Method", "POST"), changes.get("Twiml", ""), at
        )

    def time_is_up(self, call: SimulatedCall, planned: Planned, at: float) -> None:
        """Go on with a call, unless something else has happened to it since this was planned."""
        talk = call.conversation
        if planned.turn != talk.turn:
            return
        if talk.is_over:
            self._line.hang_up(call, at)
        else:
            self._take(call, time_up(talk.run), at)

    def press(self, call: SimulatedCall, key: str, at: float) -> None:
        """A key is pressed. It is lost where nobody waits for one."""
        talk = call.conversation
        elapsed = self._line.clock.seconds_between(talk.since, at)
        listens = talk.asking is None and not talk.is_over
        turn = press(talk.run, key, elapsed) if listens else None
        if turn is not None and talk.hearing is not None:
            talk.hearing.cut_after = round(elapsed, 3)
        talk.transcript.append(Heard(at, Line.PRESSED, key, counted=turn is not None))
        if turn is not None:
            self._take(call, turn, at)

    def scripted_key(self, call: SimulatedCall, planned: Planned, at: float) -> None:
        """The callee presses a key of the script, unless the question it belongs to is over."""
        talk = call.conversation
        if planned.turn != talk.question:
            return
        number, key = talk.next_press
        whole = key + 1 == len(call.ending.presses[number].keys)
        talk.next_press = (number + 1, 0) if whole else (number, key + 1)
        self.press(call, planned.key, at)
        if planned.turn == talk.question:
            self._plan_key(call, at)

    def answered(self, call: SimulatedCall, asking: Asking, exchange: WebhookExchange) -> None:
        """A web server has answered, or has not. What comes too late changes nothing."""
        talk = call.conversation
        if talk.asking is not asking:
            return
        at = asking.time_of_call(self._line.clock, self._line.clock.now())
        body = exchange.note if exchange.status is None else exchange.body
        try:
            document = read_answer(exchange.status, exchange.content_type, body)
        except UnreadableError as error:
            self._fail(call, error.flaw, at)
        else:
            self._execute(call, document, exchange.url, at)

    def _instruct(self, call: SimulatedCall, url: str, method: str, twiml: str, at: float) -> None:
        run = Run(has_listened=call.conversation.run.has_listened)
        if url:
            self._take(call, (replace(run, requests=1), Ask(url, method)), at)
            return
        call.conversation.run, call.conversation.asking = run, None
        try:
            # Without either it is an application, whose instructions the simulator does not know.
            document = read_twiml(twiml) if twiml else Document()
        except UnreadableError as error:
            self._fail(call, error.flaw, at)
        else:
            self._execute(call, document, "", at)

    def _execute(self, call: SimulatedCall, document: Document, url: str, at: float) -> None:
        for flaw in document.flaws:
            self._notify(call, flaw, url, at)
        call.conversation.transcript += [
            Heard(at, Line.NOT_SIMULATED, verb) for verb in document.not_simulated
        ]
        self._take(call, begin(document, url, call.conversation.run), at)

    def _take(self, call: SimulatedCall, turn: Turn, at: float) -> None:
        """Let a step of the TwiML happen."""
        talk, (run, step) = call.conversation, turn
        is_next = run.current is not talk.run.current
        talk.run, talk.since, talk.turn = run, at, talk.turn + 1
        talk.hearing, talk.asking, talk.is_over = None, None, False
        if isinstance(step, Wait):
            self._wait(call, step, at)
            if is_next:
                self._begin_question(call, at)
        elif isinstance(step, Ask):
            self._ask(call, step, at)
        elif isinstance(step, Fail):
            self._fail(call, step.flaw, at)
        else:
            self._finish(call, step, at)

    def _wait(self, call: SimulatedCall, wait: Wait, at: float) -> None:
        talk, sound = call.conversation, wait.sound
        if sound is not None and sound.text:
            talk.hearing = Heard(at, Line.SAID if sound.verb == "Say" else Line.PLAYED, sound.text)
            talk.transcript.append(talk.hearing)
        planned = Planned(0, Happening.TIME_IS_UP, turn=talk.turn)
        self._line.plan_at(call, self._line.clock.after(at, wait.seconds), planned)

    def _begin_question(self, call: SimulatedCall, at: float) -> None:
        """The callee turns to the next ``<Gather>``; keys left over from the last one are not pressed any more."""
        talk, presses = call.conversation, call.ending.presses
        talk.question += 1
        if not isinstance(talk.run.current, Gather):
            return
        number, key = talk.next_press
        number = number + 1 if key else number
        is_passed = number < len(presses) and not presses[number].keys
        talk.next_press = (number + 1 if is_passed else number, 0)
        if not is_passed:
            self._plan_key(call, at)

    def _plan_key(self, call: SimulatedCall, at: float) -> None:
        talk, presses = call.conversation, call.ending.presses
        number, key = talk.next_press
        if number < len(presses) and presses[number].keys:
            press = presses[number]
            planned = Planned(0, Happening.KEY_IS_PRESSED, turn=talk.question, key=press.keys[key])
            seconds = BETWEEN_KEYS if key else press.after
            self._line.plan_at(call, self._line.clock.after(at, seconds), planned)

    def _ask(self, call: SimulatedCall, ask: Ask, at: float, *, is_fallback: bool = False) -> None:
        talk = call.conversation
        talk.question, talk.turn, talk.hearing = talk.question + 1, talk.turn + 1, None
        talk.asking = Asking(ask, at, self._line.clock.read(), is_fallback)
        talk.transcript.append(Heard(at, Line.ASKED, ask.url))
        self._line.send(call, talk.asking)

    def _fail(self, call: SimulatedCall, flaw: Flaw, at: float) -> None:
        """Twilio cannot go on: it asks the fallback URL, or apologizes and hangs up.

        Twilio's page "Availability and Reliability": on any fatal error, with ErrorCode and ErrorUrl.
        """
        talk = call.conversation
        asking, talk.asking = talk.asking, None
        url = asking.ask.url if asking else talk.run.url
        self._notify(call, flaw, url, at)
        fallback, run = call.get("FallbackUrl"), talk.run
        if not fallback or (asking and asking.is_fallback) or run.requests >= MOST_REQUESTS_IN_A_ROW:
            self._take(call, apologize(run), at)
            return
        talk.run = replace(run, requests=run.requests + 1)
        params = (("ErrorCode", str(flaw.code)), ("ErrorUrl", url))
        self._ask(call, Ask(fallback, call.get("FallbackMethod", "POST"), params), at, is_fallback=True)

    def _finish(self, call: SimulatedCall, end: End, at: float) -> None:
        """The TwiML is over. Twilio then hangs up; who was only told something may stay on the line as scripted."""
        talk = call.conversation
        talk.is_over = True
        if end.hung_up or talk.run.has_listened:
            self._line.hang_up(call, at)
        elif call.ending.talk is None:
            shortest = self._line.clock.after(talk.begun_at, SHORTEST_TALK)
            planned = Planned(0, Happening.TIME_IS_UP, turn=talk.turn)
            self._line.plan_at(call, max(at, shortest), planned)

    def _notify(self, call: SimulatedCall, flaw: Flaw, url: str, at: float) -> None:
        call.notifications.append(
            Notification(new_sid("NO"), at, flaw.code, flaw.message, flaw.is_error, url)
        )
