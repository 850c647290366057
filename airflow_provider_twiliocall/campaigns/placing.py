"""Placing the calls of a campaign, one after the other: at their pace, block by block, each row once."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.campaigns.how_to_place import MOST_ROWS_OF_A_BLOCK, HowToPlace
from airflow_provider_twiliocall.campaigns.pace import Pace
from airflow_provider_twiliocall.campaigns.unconfirmed import UnconfirmedRows, longest_request
from airflow_provider_twiliocall.exceptions import (
    TwilioCallInterruptedError,
    TwilioCallRefusedError,
)
from airflow_provider_twiliocall.journal.campaign_journal import PUT_BACK
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import is_call_sid
from airflow_provider_twiliocall.twilio.errors import (
    TwilioAmbiguousError,
    TwilioError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from airflow_provider_twiliocall.twilio.recent_calls import twilio_time

if TYPE_CHECKING:
    from airflow_provider_twiliocall.callees.do_not_call import DoNotCallList
    from airflow_provider_twiliocall.callees.rules import DialRules
    from airflow_provider_twiliocall.campaigns.campaign_calls import CampaignCalls
    from airflow_provider_twiliocall.campaigns.going_on import CallsGoingOn
    from airflow_provider_twiliocall.campaigns.ledger import CampaignLedger
    from airflow_provider_twiliocall.journal.campaign_journal import CampaignJournal
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

# With at_least_once, how often a request is sent whose answer is lost.
_MOST_REQUESTS = 3

# What Twilio refuses for a reason that all rows share: the account, its credentials, the number to call from.
_WRONG_CREDENTIALS = 20003
_ABOUT_ALL = frozenset({10001, _WRONG_CREDENTIALS, 20005, 20008})
_ABOUT_THE_CALLER = frozenset({21210, 21212, 21213})


class CampaignPlacing:
    """Gives each row its turn.

    :param ledger: what is known of each row
    :param is_stopped: whether the task was told to stop
    """

    def __init__(
        self,
        how: HowToPlace,
        calls: CampaignCalls,
        journal: CampaignJournal,
        ledger: CampaignLedger,
        going_on: CallsGoingOn,
        *,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._how = how
        self._calls = calls
        self._journal = journal
        self._ledger = ledger
        self._queue = ledger.queue
        self._going_on = going_on
        self._is_stopped = is_stopped
        self._block: list[int] = []
        self._said: list[str] = []
        self._listed: DoNotCallList | None = None
        # After what is no call, the rest of the block must not be looked for behind it.
        self._is_to_be_told = False
        self._is_under_way = False
        self._is_secret_fresh = False
        self._pace = Pace(how.pace)
        self._requests = 0
        self.placed = 0
        """Calls that this process has placed."""

    # When -------------------------------------------------------------------------------------------------

    @property
    def next_turn(self) -> float:
        """Unix time from which the next row may have its turn; infinite where none waits."""
        due = -math.inf if self._block else self._queue.next_due
        return max(due, self._pace.next_at)

    @property
    def waiting(self) -> int:
        """How many rows wait for their turn."""
        return len(self._queue) + len(self._block) - len(self._said)

    @property
    def is_held_up(self) -> bool:
        """Whether Twilio's queue has as many calls of this campaign as it may."""
        return len(self._going_on.queued) >= self._how.max_queued

    @property
    def may_soon_be_held_up(self) -> bool:
        """Whether it is time to see which calls have left Twilio's queue."""
        return self.waiting > 0 and 2 * len(self._going_on.queued) >= self._how.max_queued

    # A turn -----------------------------------------------------------------------------------------------

    def give_turn(self) -> None:
        """Give the next row its turn, which may place a call.

        :raises TwilioCallRefusedError: Twilio refuses what all rows share
        :raises TwilioCallNotPlacedError: Twilio is out of reach, or the journal; a retry goes on
        :raises TwilioCallSupersededError: another process runs this task by now
        :raises TwilioCallInterruptedError: the task was told to stop
        """
        if not self._block:
            self._begin_block()
        if not self._block:
            return
        said = self._turn(self._block[len(self._said)])
        if said is not None:
            self._said.append(said)
        # Not before: what breaks in between, such as a time-out, leaves the row in doubt.
        self._is_under_way = False
        if said is None:
            return
        self._is_to_be_told |= not is_call_sid(said)
        self._requests = 0
        if len(self._said) == len(self._block):
            self._journal.finish(self._said)
            self._block, self._said = [], []

    def _begin_block(self) -> None:
        if not (block := self._rows_of_a_block(clock.time())):
            return
        self._listed = self._how.do_not_call()
        self._journal.begin(block)
        self._block, self._said = block, []
        self._is_to_be_told = False

    def _rows_of_a_block(self, now: float) -> list[int]:
        """Take the next rows, without those that wait for their call window: a block of them costs two writes."""
        rows: list[int] = []
        for _ in range(MOST_ROWS_OF_A_BLOCK):
            if len(rows) == self._how.rows_of_a_block or not (taken := self._queue.take(1, now)):
                break
            if not self._is_put_off(taken[0], now):
                rows += taken
        return rows

    def _is_put_off(self, row: int, now: float) -> bool:
        if self._how.skips_outside_window or not self._calls.has_window(row):
            return False
        try:
            rules = self._calls.rules(row, self._calls.params(row).to)
            opens = rules.earliest_ring(now)
        except ValueError:
            # It is told at its turn.
            return False
        if opens <= now or rules.is_pointless(opens):
            return False
        self._queue.add(row, opens)
        return True

    def close_block(self) -> None:
        """Put back the rows of the block that had no turn: none will come for a while."""
        if not self._block or self._is_under_way:
            return
        left = self._block[len(self._said) :]
        self._journal.finish([*self._said, *(PUT_BACK for _ in left)])
        for row in left:
            self._queue.add(row, self._pace.next_at)
        self._block, self._said = [], []

    def leave(self) -> None:
        """Write down what is known of the block, so that the next try has no more to find out than it must.

        :raises TwilioCallSupersededError: another process runs this task by now
        :raises TwilioCallJournalError: it could not be written
        """
        if self._is_under_way:
            self._journal.narrow(self._said)
        else:
            self.close_block()

    def _turn(self, row: int) -> str | None:
        """Return what there is to say of the row; None where it stays the next one."""
        now = clock.time()
        try:
            params = self._calls.params(row)
            if self._listed is not None and self._listed.is_listed(params.to):
                return self._drop(row, Reason.DO_NOT_CALL, params.to)
            rules = self._calls.rules(row, params.to)
            opens = rules.earliest_ring(now)
        except ValueError as error:
            logger.warning("Row %d cannot be dialled: %s", self._calls.row(row).number, error)
            return self._drop(row, Reason.REFUSED, None)
        if rules.is_pointless(opens):
            return self._drop(row, Reason.TOO_LATE, params.to)
        if opens > now:
            if self._how.skips_outside_window:
                return self._drop(row, Reason.OUTSIDE_WINDOW, params.to)
            self._queue.add(row, opens)
            return PUT_BACK
        return self._dial(row, params, rules)

    def _drop(self, row: int, reason: Reason, to: str | None) -> str:
        self._ledger.drop(row, reason, to)
        return reason.value

    # A call -----------------------------------------------------------------------------------------------

    def _dial(self, row: int, params: CreateCallParams, rules: DialRules) -> str | None:
        if self._is_to_be_told or not self._journal.may_dial:
            self._journal.renew(self._said)
            self._is_to_be_told = False
        if self._is_stopped():
            raise TwilioCallInterruptedError("The task was told to stop. A retry goes on with the next row")
        self._pace.count()
        hook = self._going_on.hook
        sent = twilio_time(hook.watcher)
        self._is_under_way = True
        try:
            # It tries to connect once: for longer than that a request must not be under way, and the pace tries again.
            call = hook.watcher.create_call(params)
        except TwilioAmbiguousError as error:
            logger.warning("Nobody can say yet whether a call was placed: %s", error)
            return self._find(row, params, rules, sent)
        except TwilioError as error:
            self._is_under_way = False
            return self._not_placed(row, params, error)
        self._pace.took_it()
        self._is_secret_fresh = False
        self._wait_for(row, call.sid, call, params, rules)
        return call.sid

    def _not_placed(self, row: int, params: CreateCallParams, error: TwilioError) -> str | None:
        # Without a code it is not Twilio's word, but that of something on the way.
        if isinstance(error, (TwilioThrottledError, TwilioUnreachableError)) or error.code is None:
            self._pace.wait(error)
            return None
        if error.code == _WRONG_CREDENTIALS and not self._is_secret_fresh:
            # They may have been replaced since the task began.
            self._is_secret_fresh = True
            self._going_on.renew_hook()
            return None
        own_caller = "from_" in self._calls.row(row).arguments
        if error.code in _ABOUT_ALL or (error.code in _ABOUT_THE_CALLER and not own_caller):
            raise TwilioCallRefusedError(
                f"The campaign has stopped at row {self._calls.row(row).number}, because Twilio refuses what all rows "
                f"share: {error} Then clear this task: it goes on with that row"
            ) from None
        self._pace.took_it()
        logger.warning("Row %d is refused: %s", self._calls.row(row).number, error)
        return self._drop(row, Reason.REFUSED, params.to)

    def _find(self, row: int, params: CreateCallParams, rules: DialRules, sent: float) -> str | None:
        self._requests += 1
        hook = self._going_on.hook
        window = UnconfirmedRows.window(since=sent, until=sent + longest_request(hook))
        unconfirmed = UnconfirmedRows(hook, [row], self._calls, window, taken=self._ledger.call_sids)
        [said] = unconfirmed.look_until_certain(self._how.delivery)
        if is_call_sid(said):
            self._pace.took_it()
            self._wait_for(row, said, None, params, rules)
        elif said == PUT_BACK and self._requests < _MOST_REQUESTS:
            return None
        else:
            said = self._drop(row, Reason.UNKNOWN, params.to)
        return said

    def _wait_for(
        self, row: int, call_sid: str, call: Call | None, params: CreateCallParams, rules: DialRules
    ) -> None:
        self.placed += 1
        self._ledger.placed(row, call_sid)
        self._going_on.add(row, call_sid, call=call, params=params, rules=rules)
