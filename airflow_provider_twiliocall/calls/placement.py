"""Placing the call of a task: once, whatever a lost answer has left behind."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.recovery import UnconfirmedCall
from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallAbandonedError,
    TwilioCallInterruptedError,
    TwilioCallSupersededError,
)
from airflow_provider_twiliocall.journal.call_journal import CallJournal
from airflow_provider_twiliocall.journal.entry import Entry
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.ending import (
    PATIENCE_AS_THE_LAST_S,
    Ending,
    HowToEnd,
    WhenKilled,
    end_call,
    retry_until,
)
from airflow_provider_twiliocall.twilio.errors import (
    TwilioAmbiguousError,
    TwilioError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number

if TYPE_CHECKING:
    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

# A short pause of Twilio's is sat out here; a longer one is left to the task's own retry, which holds no slot.
LONGEST_THROTTLE_S = 60.0
_THROTTLED = 429

# With at_least_once, how often one try sends its request when no answer comes back; the task's retries are beyond that.
MOST_REQUESTS = 3


@dataclass(frozen=True)
class Placed:
    """The call that a try is about.

    :param call: as last seen; None where an earlier try's call cannot be seen now
    :param queue_deadline: until when it may stay in Twilio's queue, where this try has placed it
    """

    call_sid: str
    call: Call | None
    queue_deadline: QueueDeadline | None = None


@dataclass
class Placement:
    """What one try of a task does to have its call placed, and placed once.

    :param params: complete, with the number to call from
    :param journal: what earlier tries have written, and where this one writes
    :param delivery: what to do when nobody can say whether the phone rings: ``at_most_once`` fails for good,
        ``at_least_once`` dials again
    :param when_killed: what becomes of a call that was placed while another try took over
    :param step: which of the task's steps the call is for, from 0
    :param latest_ring: Unix time after which the call must not begin to ring any more
    :param queue_timeout: seconds it may stay in Twilio's queue
    :param others: gives the calls that other tasks of the run are known to have placed
    :param claim: makes a call that was found known to them
    :param is_stopped: whether the task was told to stop
    :param token: what the receiver knows this run of the task by, where Twilio is told of one
    :param is_called_back: whether the parameters have Twilio tell the receiver when the call is over
    """

    hook: TwilioCallHook
    params: CreateCallParams
    journal: CallJournal
    delivery: Delivery = "at_most_once"
    when_killed: WhenKilled = "cancel"
    step: int = 0
    latest_ring: float = math.inf
    queue_timeout: float = math.inf
    others: Callable[[], Collection[str]] = frozenset
    claim: Callable[[str], None] = lambda call_sid: None
    is_stopped: Callable[[], bool] = lambda: False
    token: str | None = None
    is_called_back: bool = False

    def __post_init__(self) -> None:
        self._callee = redact_phone_number(self.params.to)
        self._unconfirmed_call = UnconfirmedCall(
            self.hook, self.params, self.journal, delivery=self.delivery, others=self.others, claim=self.claim
        )
        self._sent: Entry | None = None
        # A request that may have placed a call, though at_least_once sends another one.
        self._unclear: Entry | None = None
        # The call this try is about, as soon as it is known.
        self.call_sid: str | None = None

    def dial(self) -> Placed | CallOutcome:
        """Place the call, or say what came of the wish.

        :return: of the outcomes REFUSED, TOO_LATE, NOT_PLACED; or UNKNOWN or MAYBE_PLACED, where it may have been
            placed and ``delivery`` forbids or allows a second one
        :raises TwilioCallJournalError: it cannot be written down, so nothing was dialled
        :raises TwilioCallInterruptedError: the task was told to stop
        :raises TwilioCallSupersededError: another try has taken over
        """
        try:
            return self._dial()
        except AirflowTaskTimeout:
            if self._sent is None or self.call_sid or self.journal.is_kept:
                raise
            raise TwilioCallAbandonedError(
                f"The task's execution_timeout struck while the call to {self._callee} was being placed, and this "
                "Airflow keeps no journal in which a retry would find it. It is not dialled again. Look for it in "
                "Twilio's call log: if there is none, clear this task to dial"
            ) from None

    def find_interrupted_call(self) -> str | None:
        """Return the SID of the call of a request that was interrupted; None where it is not certain which it is."""
        found = self._unconfirmed_call.of_interrupted(self._sent) if self._sent else None
        # Written down with its SID, so that a retry knows whose end it is that it then sees.
        return self._keep(found).call_sid if found else None

    @property
    def is_unclear(self) -> bool:
        """Whether a request may have placed a call, though ``delivery`` allows another one."""
        return self._unclear is not None and self.call_sid is None

    # Requests of earlier tries ----------------------------------------------------------------------------

    def find_unconfirmed(self, earlier: Entry) -> Placed | CallOutcome | None:
        """Return the call of an earlier try's request; None where ``delivery`` wants another one instead.

        :return: of the outcomes UNKNOWN, and MAYBE_PLACED where a retry looks again
        :raises TwilioCallSupersededError: another try has taken over
        """
        logger.warning("An earlier try sent a call to %s and did not learn its SID.", self._callee)
        self._unclear = earlier
        return self._find(earlier, "the try before ended without Twilio's answer")

    def find_unconfirmed_of_earlier_run(self, earlier: Entry) -> str | None:
        """Return the SID of the call that a run before a clear may have placed; None where it is not certain.

        :raises TwilioError: Twilio's list cannot be read
        """
        return self._unconfirmed_call.of_earlier_run(earlier)

    # Dialling ---------------------------------------------------------------------------------------------

    def _dial(self) -> Placed | CallOutcome:
        for _ in range(MOST_REQUESTS):
            try:
                call = self._send()
            except TwilioAmbiguousError as error:
                logger.warning(
                    "Nobody can say yet whether the call to %s was placed: %s", self._callee, error
                )
                self._unclear = self._sent
                if self._sent and (found := self._find(self._sent, str(error))):
                    return found
            except TwilioError as error:
                self._write_down_not_placed()
                return self._not_placed(error)
            else:
                if call is None:
                    why = f"It has become too late to call {self._callee}"
                    return CallOutcome(Reason.TOO_LATE, why=why)
                logger.info("Placed call %s to %s.", call.sid, self._callee)
                return self._keep(call)
        return CallOutcome(
            Reason.MAYBE_PLACED,
            why=f"The call to {self._callee} was sent {MOST_REQUESTS} times, and no answer says whether it was placed. "
            "With delivery='at_least_once' a retry of this task dials again",
        )

    def _not_placed(self, error: TwilioError) -> CallOutcome:
        may_be_taken_later = isinstance(error, (TwilioThrottledError, TwilioUnreachableError))
        if self._unclear is None:
            reason = Reason.NOT_PLACED if may_be_taken_later else Reason.REFUSED
            return CallOutcome(reason, why=f"The call to {self._callee} was not placed: {error}")
        may_be = f"The call to {self._callee} may have been placed by an earlier request, and"
        if may_be_taken_later:
            why = f"{may_be} this one did nothing: {error}. A retry looks for it, and dials again where it finds none"
            return CallOutcome(Reason.MAYBE_PLACED, why=why)
        why = f"{may_be} Twilio refuses another one: {error}. Look for it in Twilio's call log"
        return CallOutcome(Reason.UNKNOWN, why=why)

    def _send(self) -> Call | None:
        """Send the one POST, again after each short pause that Twilio asks for with a 429.

        :return: None where ``latest_ring`` has come before
        """
        give_up = clock.monotonic() + LONGEST_THROTTLE_S
        guess = 1.0
        while True:
            if clock.time() >= self.latest_ring:
                return None
            # Before every POST: the store refuses a process that another try has replaced.
            client = self.hook.client
            self._sent = self.journal.placing(
                self.params,
                account_sid=self.params.account_sid or client.account_sid,
                step=self.step,
                clock_offset=client.clock_offset,
                token=self.token,
                is_called_back=self.is_called_back,
            )
            if self.is_stopped():
                self._write_down_not_placed()
                raise TwilioCallInterruptedError(
                    "The task was told to stop before it dialled: nothing was dialled"
                )
            try:
                return self.hook.create_call(self.params)
            except TwilioThrottledError as error:
                # Never less than our own guess: "Retry-After: 0" is no leave to hammer.
                pause = max(error.retry_after or 0.0, guess * random.uniform(1.0, 1.5))
                # A full queue or too many calls at once take longer than a worker should be held for.
                if error.http_status != _THROTTLED or error.code in (10004, 22005):
                    raise
                if clock.monotonic() + pause > give_up:
                    raise
                logger.warning("Twilio takes no more requests for now, next try in %.1f s: %s", pause, error)
                # Should this try end in the pause, there is no call to look for.
                self._sent = None
                self._write_down_not_placed()
                clock.sleep(pause)
                guess *= 2

    def _write_down_not_placed(self) -> None:
        """Write down that the latest request came to nothing; an unclear one before it stays what is to be found."""
        if self._unclear:
            self.journal.restore(self._unclear)
        else:
            self.journal.not_placed()

    def _keep(self, call: Call) -> Placed:
        self.call_sid = call.sid
        queue_deadline = QueueDeadline.of(
            call,
            now=clock.time(),
            queue_timeout=self.queue_timeout,
            latest_ring=self.latest_ring,
            clock_offset=self.hook.clock_offset,
        )
        try:
            self.journal.placed(call.sid, queue_deadline=queue_deadline)
        except TwilioCallSupersededError:
            # Who has taken over cannot know of this call, and is about to place its own.
            self._end_surplus(call.sid)
            raise
        return Placed(call.sid, call, queue_deadline)

    def _end_surplus(self, call_sid: str) -> None:
        if self.when_killed == "leave":
            return
        try:
            logger.warning("%s", self._end(call_sid, self.when_killed))
        except TwilioError as error:
            logger.error("Call %s could not be ended, and may ring: %s", call_sid, error)

    def _end(self, call_sid: str, how: HowToEnd) -> Ending:
        return retry_until(
            lambda: end_call(self.hook.client, call_sid, how),
            call_sid,
            how=how,
            until=clock.time() + PATIENCE_AS_THE_LAST_S,
        )

    def _find(self, sent: Entry, why: str) -> Placed | CallOutcome | None:
        found = self._unconfirmed_call.of(sent, why)
        return found if found is None or isinstance(found, CallOutcome) else self._keep(found)
