"""Opening a campaign: its rows are read and checked, and what earlier tries have dialled is found out."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.campaigns.campaign_calls import CampaignCalls
from airflow_provider_twiliocall.campaigns.kill import cancel_queued_calls
from airflow_provider_twiliocall.campaigns.result_files import check_writable
from airflow_provider_twiliocall.campaigns.rows import MOST_PROBLEMS, RowsError, read_rows
from airflow_provider_twiliocall.campaigns.unconfirmed import UnconfirmedRows, longest_answer
from airflow_provider_twiliocall.exceptions import TwilioCallRefusedError
from airflow_provider_twiliocall.journal import entry
from airflow_provider_twiliocall.journal.campaign_journal import CampaignJournal, Dial
from airflow_provider_twiliocall.twilio.call import is_call_sid
from airflow_provider_twiliocall.twilio.errors import TwilioError, TwilioRejectedError
from airflow_provider_twiliocall.twilio.recent_calls import twilio_time

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.campaigns.campaign_task import CampaignTask
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

logger = logging.getLogger(__name__)

_PAUSES_TO_SEE_TWILIO_S = (0.0, 1.0, 3.0)


class OpenCampaign:
    """A campaign that this process may go on with, and that no other process dials beside it.

    :param task: the operator, rendered
    :raises TwilioCallRefusedError: the rows cannot be dialled as they are, or are others than before
    :raises TwilioCallMaybePlacedError: it cannot be found out now what an earlier try has dialled
    :raises TwilioCallJournalError: likewise
    """

    def __init__(self, task: CampaignTask, context: Context) -> None:
        self._task = task
        self._hook: TwilioCallHook = task.hook
        self.calls = CampaignCalls(
            task, self._read_rows(), self._hook, run_after=context["dag_run"].run_after.timestamp()
        )
        self.duplicates = {} if task.on_duplicate == "dial" else self.calls.duplicates()
        """Rows that are not dialled, each with the earlier one that has the same callee."""
        self._see_twilio()
        self.journal = CampaignJournal.of(context, lambda: twilio_time(self._hook.watcher))
        self.dials: Sequence[Dial] = ()
        """What came of each turn that an earlier process gave to a row, in order."""
        self.is_new = True
        """Whether nobody was dialled yet."""
        if (dials := self.journal.read()) is None:
            self._begin(context["ti"], is_restart=False)
        elif task.restart and self.journal.is_cleared:
            self._wait_for_others()
            self._cancel_queued(dials)
            self._begin(context["ti"], is_restart=True)
        else:
            self.is_new = False
            self._go_on(dials)

    def _read_rows(self) -> Any:
        try:
            return read_rows(self._task.calls)
        except RowsError as error:
            raise TwilioCallRefusedError(f"Nobody was dialled:\n{error}") from error

    def _see_twilio(self) -> None:
        """Learn Twilio's time, and whether it takes these credentials, before anybody is dialled."""
        for pause in _PAUSES_TO_SEE_TWILIO_S:
            clock.sleep(pause)
            try:
                next(self._hook.watcher.list_calls(page_size=1), None)
                return
            except TwilioError as error:
                if isinstance(error, TwilioRejectedError) and error.code is not None:
                    raise TwilioCallRefusedError(f"This try has dialled nobody: {error}") from None
                logger.warning("Twilio's list of calls cannot be read for now: %s", error)

    def _begin(self, ti: Any, *, is_restart: bool) -> None:
        if not self.journal.is_kept and getattr(ti, "try_number", 1) > 1:
            raise TwilioCallRefusedError(
                "Nobody was dialled: this Airflow keeps no journal (3.3 and later do), so a second try cannot tell "
                "whom the first one has dialled. Look at Twilio's call log, and trigger a new run with the rows that "
                "are left"
            )
        if problems := self.calls.problems():
            raise TwilioCallRefusedError(f"Nobody was dialled; fix these rows:\n{RowsError(problems)}")
        self._judge_duplicates()
        self._warn_of_shared_ids()
        if self._task.results_path:
            check_writable(self._task.results_path, may_replace=is_restart)
        salt = secrets.token_hex(8)
        self.journal.start(self._digest(salt), salt)

    def _judge_duplicates(self) -> None:
        named = [
            f"row {self.calls.row(row).number} has the callee of row {self.calls.row(first).number}"
            for row, first in self.duplicates.items()
        ]
        if named and self._task.on_duplicate == "fail":
            raise TwilioCallRefusedError(f"Nobody was dialled; on_duplicate is 'fail':\n{RowsError(named)}")
        if named:
            logger.warning(
                "%d rows are not dialled, because an earlier one has the same callee (on_duplicate='skip'):\n%s",
                len(named),
                RowsError(named),
            )

    def _warn_of_shared_ids(self) -> None:
        if shared := self.calls.shared_ids():
            shown = ", ".join(f"{each:.40}" for each in shared[:MOST_PROBLEMS])
            more = f" and {len(shared) - MOST_PROBLEMS:,} more" if len(shared) > MOST_PROBLEMS else ""
            logger.warning(
                "Several rows have the same id: %s%s. All of them are called; the results tell them apart by the "
                "number of the row.",
                shown,
                more,
            )

    def _digest(self, salt: str) -> str:
        return self.calls.digest(salt, entry.DIGEST_ROUNDS)

    # What earlier tries have left -------------------------------------------------------------------------

    def _go_on(self, dials: list[Dial]) -> None:
        if self._digest(self.journal.salt) != self.journal.input:
            raise TwilioCallRefusedError(
                "Nobody else was dialled: the rows, their callees, ids or the number to call from are not those with "
                "which this campaign began. Give the same ones again to go on with it; or set restart=True and clear "
                "the task to dial all rows that are given now"
            )
        self._wait_for_others()
        if doubt := self.journal.doubt:
            window = UnconfirmedRows.window(since=doubt.since, until=doubt.until + longest_answer(self._hook))
            taken = {dial.said for dial in dials if is_call_sid(dial.said)}
            unconfirmed = UnconfirmedRows(self._hook, doubt.rows, self.calls, window, taken=taken)
            said = unconfirmed.look_until_certain(self._task.delivery)
            self.journal.settle_doubt(said)
            found = [Dial(row, each) for row, each in zip(doubt.rows, said, strict=True) if each]
            dials = [*dials, *found]
        self.dials = dials

    def _wait_for_others(self) -> None:
        until = self.journal.others_dial_until + longest_answer(self._hook)
        left = until - twilio_time(self._hook.watcher)
        if self.journal.others_dial_until and left > 0:
            logger.info(
                "The process before may still dial: it has not said that it has stopped. Nobody is dialled before %s "
                "UTC, in %.0f s; by then it has stopped, and its last request was answered or has timed out.",
                pendulum.from_timestamp(until).to_datetime_string(),
                left,
            )
            clock.sleep(left)

    def _cancel_queued(self, dials: list[Dial]) -> None:
        """Cancel what is still in Twilio's queue of the campaign that is forgotten now."""
        sids = [dial.said for dial in dials if is_call_sid(dial.said)]
        cancel_queued_calls(self._hook, sids[-self._task.max_queued :])
