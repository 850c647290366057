"""What the operators that ring phones have in common: what Airflow calls.

What one try of a task does is a :class:`.CallRun`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.operators.call_task import CallTask

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.operators.call_run import CallRun


class CallOperator(CallTask):
    """A task that places calls, as Airflow runs it: each process of a try has a :class:`.CallRun` of its own."""

    # The try that this process is about, for on_kill.
    _run: CallRun | None = None

    def execute(self, context: Context) -> Any:
        """Place the call, or take up the one an earlier try has placed; wait for it if asked to.

        :raises TwilioCallRefusedError: before or instead of dialling, not to be retried
        """
        return self._run_of(context, is_new_try=True).ring()

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,
        journal: dict[str, Any] | None = None,
        account_sid: str | None = None,
    ) -> Any:
        """Go on after the trigger that waited for a call has fired.

        :param account_sid: whose call it is, where that is not what the arguments say
        """
        return self._run_of(context, journal).go_on_after_wait(event or {}, account_sid)

    def execute_next_call(
        self,
        context: Context,
        event: Any = None,
        journal: dict[str, Any] | None = None,
        due_step: int | None = None,
    ) -> Any:
        """Go on after a pause."""
        return self._run_of(context, journal, due_step=due_step).ring()

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as Airflow does, but a wait that broke off is no reason to forget the call, or to dial again."""
        from airflow_provider_twiliocall.compat import TaskDeferralError, TaskDeferralTimeout

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            self.log.warning("The wait broke off: %s", error)
            is_out_of_time = isinstance(error, TaskDeferralTimeout)
            return self._run_of(context).wait_again(out_of_time=is_out_of_time)

    def on_kill(self) -> None:
        """End the call as ``when_killed`` says; runs in a signal handler."""
        if self._run is not None:
            self._run.on_kill()

    def _run_of(self, context: Context, carried: dict[str, Any] | None = None, **how: Any) -> CallRun:
        from airflow_provider_twiliocall.journal.call_journal import CallJournal
        from airflow_provider_twiliocall.operators.call_run import CallRun
        from airflow_provider_twiliocall.operators.map_label import label_mapped_task

        if self.label:
            label_mapped_task(context, self.label)  # type: ignore[arg-type]
        self._run = CallRun(self, context, CallJournal.of(context, carried), **how)
        return self._run
