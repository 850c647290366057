"""Ending a task's call from outside, as ``when_killed`` says; and who it was that ended it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.ending import (
    ENDS_IN,
    PATIENCE_OUT_OF_TIME_S,
    Ending,
    HowToEnd,
    WhenKilled,
    end_call,
    look_instead,
    may_have_ended_in,
    retry_until,
)
from airflow_provider_twiliocall.twilio.errors import TwilioAmbiguousError, TwilioError

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal.call_journal import CallJournal

logger = logging.getLogger(__name__)

# What Airflow leaves a task between the signal and SIGKILL is 5 s, and the journal wants some of them.
ON_KILL_S = 3.0
ON_KILL_CONNECT_S = 1.0
ON_KILL_READ_S = 2.0


class CallEnder:
    """Ends one call of one task, once, whoever asks for it: the task that is out of time, or a signal.

    :param when_killed: what becomes of the call when the task has to go first
    :param publish: shows people what is known of the call
    """

    def __init__(
        self,
        hook: TwilioCallHook,
        call_sid: str,
        journal: CallJournal,
        *,
        when_killed: WhenKilled,
        publish: Callable[[Call], None],
    ) -> None:
        self._hook = hook
        self._call_sid = call_sid
        self._journal = journal
        self._when_killed = when_killed
        self._publish = publish
        self.ending: Ending | None = None
        """What came of it, once that is known."""
        # What on_kill may have ended the call in, though no answer said so.
        self._may_have_ended_in: frozenset[CallStatus] = frozenset()

    @property
    def has_ended_it(self) -> bool:
        """Whether the call is known to be over, and that this task ended it."""
        return self.ending is not None and self.ending.by_us

    def end(self, why: str) -> Call | None:
        """End the call as ``when_killed`` says, through transient errors, unless :meth:`on_kill` has done so.

        Either way it is written down that we did, before the request where there still is one to send.

        :return: a call that was over by itself in that very moment: that is an outcome, and not to be lost
        """
        how = self._when_killed
        if self.ending is None and how != "leave":
            if not self._journal.ended_by_us(how) and how == "hang_up":
                # A conversation that was cut short, and nobody could tell: better to let it go on.
                how = "cancel"
            self._end_now(partial(end_call, self._hook.watcher, self._call_sid, how), how, why)
        elif self.ending is None:
            logger.info(
                "Call %s is looked at once more, and not ended (when_killed='leave'): %s.",
                self._call_sid,
                why,
            )
            self._end_now(partial(look_instead, self._hook.watcher, self._call_sid), how, why)
        elif self.ending.by_us and how != "leave":
            self._journal.ended_by_us(how)
        if self.ending is None or self.ending.by_us:
            return None
        self._journal.not_ended_by_us()
        return self.ending.call if self.ending.call.status.is_terminal else None

    def _end_now(self, end: Callable[[], Ending], how: WhenKilled, why: str) -> None:
        try:
            ending = retry_until(end, self._call_sid, how=how, until=clock.time() + PATIENCE_OUT_OF_TIME_S)
        except TwilioError as error:
            logger.error("What becomes of call %s is not known (%s): %s", self._call_sid, why, error)
            if not isinstance(error, TwilioAmbiguousError) and not self._may_have_ended_in:
                # It goes on by itself, and how it ends is its own.
                self._journal.not_ended_by_us()
            return
        # A signal may have come meanwhile.
        ending = self._keep(ending, asked_before=self._may_have_ended_in)
        logger.info("%s (%s)", ending, why)
        self._publish(ending.call)

    def _keep(self, ending: Ending, *, asked_before: frozenset[CallStatus]) -> Ending:
        """Remember what came of the wish to end the call. What this task has ended once was ended by it for good.

        :param asked_before: what another request of this task may have ended the call in, though no answer said so
        """
        by_us = ending.by_us or self.has_ended_it or ending.call.status in asked_before
        self.ending = Ending(ending.call, by_us)
        return self.ending

    def on_kill(self) -> None:
        """End the call from within a signal handler.

        Neither Airflow's store, XCom nor connections can be used in here: the thread that was interrupted may
        hold the lock they need. Hence a session of its own, too; and what came of it that thread writes down.
        """
        how = self._when_killed
        # Twice, where both Airflow and the machine send a SIGTERM: the second finds the call over, and not by itself.
        if how == "leave" or self.ending or not self._hook.is_ready:
            return
        # Another signal may come before this one's request has an answer.
        asked_before = self._may_have_ended_in
        self._may_have_ended_in |= ENDS_IN[how]
        came_of_it = self._end_briefly(how)
        if isinstance(came_of_it, Ending):
            ending = self._keep(came_of_it, asked_before=asked_before)
            logger.info("The task was told to stop. %s", ending)
        else:
            self._may_have_ended_in = asked_before | may_have_ended_in(came_of_it, how)
            logger.error(
                "The task was told to stop, and call %s could not be ended yet: %s",
                self._call_sid,
                came_of_it,
            )

    def _end_briefly(self, how: HowToEnd) -> Ending | Exception:
        """End the call, and return what came of it within :data:`ON_KILL_S`.

        In a thread, where one can be had: a socket's time limits begin again with every byte, hold for each of a host's
        addresses, and know nothing of a name server. An exception that escaped from a signal handler would surface
        anywhere.
        """
        came_of_it: list[Ending | Exception] = []

        def end() -> None:
            try:
                client = self._hook.client_with(
                    connect_timeout=ON_KILL_CONNECT_S, read_timeout=ON_KILL_READ_S, repeats_reads=False
                )
                came_of_it.append(end_call(client, self._call_sid, how))
            except Exception as error:
                came_of_it.append(error)

        thread = threading.Thread(target=end, name="twilio-on-kill", daemon=True)
        try:
            thread.start()
        except Exception as error:
            # "can't start new thread": the client's own time limits have to do.
            logger.warning("Call %s is ended without a thread of its own: %s", self._call_sid, error)
            end()
        else:
            thread.join(ON_KILL_S)
        return came_of_it[0] if came_of_it else TimeoutError(f"no answer within {ON_KILL_S:g} s")
