"""TwilioCallHook: an Airflow connection becomes a client of Twilio's Calls API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook
from airflow.sdk.log import mask_secret

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.exceptions import TwilioConnectionError, TwilioConnectionNotFoundError
from airflow_provider_twiliocall.hooks import connection_form
from airflow_provider_twiliocall.hooks.computed_once import computed_once
from airflow_provider_twiliocall.hooks.connection_settings import ConnectionSettings
from airflow_provider_twiliocall.hooks.missing_connection import connection_not_found
from airflow_provider_twiliocall.twilio.client import TwilioClient
from airflow_provider_twiliocall.twilio.ending import PATIENCE_TO_END_S
from airflow_provider_twiliocall.twilio.errors import TwilioError, TwilioRejectedError
from airflow_provider_twiliocall.twilio.param_problems import Problem
from airflow_provider_twiliocall.twilio.params import CallParamsError, numbers_in_e164

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

PAUSE_BEFORE_ANOTHER_LOOK_S = 0.5


class TwilioCallHook(BaseHook):
    """Place, look at and end calls with the credentials of an Airflow connection.

    Every method raises

    - :class:`~airflow_provider_twiliocall.exceptions.TwilioConnectionNotFoundError` where Airflow does not find the
      connection; try again later,
    - :class:`~airflow_provider_twiliocall.exceptions.TwilioConnectionError` where the connection is wrong,
    - the errors of ``airflow_provider_twiliocall.twilio.errors`` where Twilio refuses, cannot be reached or does not
      say what it did.

    :param twilio_conn_id: the connection, of type ``twilio``
    :param account_sid: the account of the calls, such as a subaccount; default: the connection's
    """

    conn_name_attr = "twilio_conn_id"
    default_conn_name = "twilio_default"
    conn_type = connection_form.CONN_TYPE
    hook_name = connection_form.HOOK_NAME

    get_connection_form_widgets = staticmethod(connection_form.connection_form_widgets)
    get_ui_field_behaviour = staticmethod(connection_form.ui_field_behaviour)

    def __init__(
        self, twilio_conn_id: str = default_conn_name, *, account_sid: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.twilio_conn_id = twilio_conn_id
        self.account_sid = account_sid

    @computed_once
    def connection(self) -> Connection:
        """The Airflow connection, fetched once."""
        try:
            return self.get_connection(self.twilio_conn_id)
        except AirflowNotFoundException as error:
            raise connection_not_found(self.twilio_conn_id) from error

    def find_connection(self, *, patience: float) -> None:
        """Fetch the connection, and look again if Airflow does not find it.

        :param patience: seconds to look for it
        """
        give_up = clock.monotonic() + patience
        while True:
            try:
                _ = self.connection
                return
            except TwilioConnectionNotFoundError:
                if clock.monotonic() + PAUSE_BEFORE_ANOTHER_LOOK_S > give_up:
                    raise
            clock.sleep(PAUSE_BEFORE_ANOTHER_LOOK_S)

    async def fetch_connection(self, *, patience: float = 0.0) -> None:
        """Fetch the connection on the event loop, which :attr:`connection` would block.

        :param patience: seconds to look for it
        """
        give_up = clock.monotonic() + patience
        while True:
            try:
                self.connection = await self.aget_connection(self.twilio_conn_id)
                return
            except AirflowNotFoundException as error:
                failure = connection_not_found(self.twilio_conn_id)
                is_final = isinstance(failure, TwilioConnectionError)
                if is_final or clock.monotonic() + PAUSE_BEFORE_ANOTHER_LOOK_S > give_up:
                    raise failure from error
            await asyncio.sleep(PAUSE_BEFORE_ANOTHER_LOOK_S)

    @computed_once
    def settings(self) -> ConnectionSettings:
        """The checked settings of the connection. From here on, logs mask its secret."""
        settings = ConnectionSettings.of(self.connection)
        mask_secret(settings.password)
        if settings.webhook:
            mask_secret(settings.webhook.auth_token)
        if self.connection.conn_type != self.conn_type:
            self.log.warning(
                "The connection %r is of type %r, not %r.",
                self.twilio_conn_id,
                self.connection.conn_type,
                self.conn_type,
            )
        for warning in settings.warnings:
            self.log.warning("The connection %r %s.", self.twilio_conn_id, warning)
        return settings

    def for_account(self, account_sid: str | None) -> TwilioCallHook:
        """Return a hook with the same credentials that asks for the calls of this account; None for that of this one.

        The connection is not fetched for it, and not once more where it was.
        """
        own = self.account_sid or (self.settings.account_sid if self.is_ready else None)
        if account_sid in (None, own):
            return self
        other = TwilioCallHook(self.twilio_conn_id, account_sid=account_sid)
        other.__dict__ |= {
            name: self.__dict__[name] for name in ("connection", "settings") if name in self.__dict__
        }
        return other

    @property
    def is_ready(self) -> bool:
        """Whether the connection was fetched, so that a new client does not ask Airflow."""
        return "settings" in self.__dict__

    @computed_once
    def client(self) -> TwilioClient:
        """The client: one session, kept alive for the life of the hook."""
        return self._client()

    @computed_once
    def watcher(self) -> TwilioClient:
        """A client that repeats no request by itself, for those who ask again anyway."""
        from airflow_provider_twiliocall.twilio.transport import SINGLE_TRY

        return self._client(reads=SINGLE_TRY, writes=SINGLE_TRY)

    @property
    def clock_offset(self) -> float:
        """Seconds that Twilio's clock is ahead, by its answers to this hook; 0 before any."""
        # Of whichever client has had an answer.
        offset = self.client.clock_offset
        return (self.watcher.clock_offset if offset is None else offset) or 0.0

    def client_with(
        self, *, connect_timeout: float, read_timeout: float, repeats_reads: bool = True
    ) -> TwilioClient:
        """Return a new client that gives up sooner, or later; both in seconds."""
        from airflow_provider_twiliocall.twilio.transport import READ_RETRY, SINGLE_TRY

        return self._client(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            reads=READ_RETRY if repeats_reads else SINGLE_TRY,
        )

    def _client(self, **options: Any) -> TwilioClient:
        from airflow import __version__ as airflow_version

        settings = self.settings
        return TwilioClient(
            settings.login,
            settings.password,
            **{
                "account_sid": self.account_sid or settings.account_sid,
                "base_url": settings.base_url,
                "connect_timeout": settings.connect_timeout,
                "read_timeout": settings.read_timeout,
                "airflow_version": airflow_version,
                **options,
            },
        )

    def close(self) -> None:
        """Close the connections to Twilio. A later request opens another."""
        for name in ("client", "watcher"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def get_conn(self) -> TwilioClient:
        """Return the client."""
        return self.client

    def with_caller_id(self, params: CreateCallParams) -> CreateCallParams:
        """Fill in the connection's default caller ID where the parameters name no ``from_``.

        :raises TwilioConnectionError: where there is none
        :raises CallParamsError: where the two do not go together
        """
        if params.from_:
            return params
        if not self.settings.default_from:
            raise TwilioConnectionError(
                "There is no number to call from: give from_, or set the extra `from` of the connection "
                f"{self.twilio_conn_id!r} to a number of yours at Twilio, e.g. +15551234567"
            )
        numbers = {"to": params.to, "from_": self.settings.default_from}
        fields, refusals = numbers_in_e164(numbers, self.settings.default_country)
        try:
            if refusals:
                raise CallParamsError(refusals)
            return params.replace(from_=fields["from_"])
        except CallParamsError as error:
            source = f"with the extra `from` of the connection {self.twilio_conn_id!r}: "
            problems = [Problem(problem.arguments, f"{source}{problem}") for problem in error.problems]
            raise CallParamsError(problems) from None

    def create_call(self, params: CreateCallParams) -> Call:
        """Place a call, with one POST, from the connection's default caller ID unless the parameters name one."""
        from airflow_provider_twiliocall.twilio.params import CreateCallParams

        if not isinstance(params, CreateCallParams):
            raise TypeError(f"params is {type(params).__name__}: give CreateCallParams(to=…, twiml=…)")
        return self.client.create_call(self.with_caller_id(params))

    def get_call(self, sid: str) -> Call:
        """Fetch a call."""
        return self.client.get_call(sid)

    def list_calls(self, **filters: Any) -> Iterator[Call]:
        """Yield the account's calls that fit the filters, see :meth:`.TwilioClient.list_calls`."""
        return self.client.list_calls(**filters)

    def update_call(self, sid: str, **changes: Any) -> Call:
        """Change a call that is going on, see :meth:`.TwilioClient.update_call`."""
        return self.client.update_call(sid, **changes)

    def cancel_call(self, sid: str, *, patience: float = PATIENCE_TO_END_S) -> Call:
        """End a call unless somebody is already on the line, see :meth:`.TwilioClient.cancel_call`."""
        return self.client.cancel_call(sid, patience=patience)

    def hang_up(self, sid: str, *, patience: float = PATIENCE_TO_END_S) -> Call:
        """End a call in whatever state it is, see :meth:`.TwilioClient.hang_up`."""
        return self.client.hang_up(sid, patience=patience)

    def test_connection(self) -> tuple[bool, str]:
        """Say which account the connection reaches and its status, or what is wrong."""
        try:
            reached, can_call = self._reached_account()
        except (TwilioConnectionError, TwilioConnectionNotFoundError) as error:
            return False, str(error)
        except TwilioError as error:
            return False, self._with_warnings(str(error))
        if can_call and not self.settings.default_from:
            reached = f"{reached}. No extra `from` is set: every call has to name its from_"
        return can_call, self._with_warnings(reached)

    def _with_warnings(self, said: str) -> str:
        return ". ".join(
            [said.rstrip("."), *(f"The connection {warning}" for warning in self.settings.warnings)]
        )

    def _reached_account(self) -> tuple[str, bool]:
        """Return what there is to say of the account, and whether it can place calls."""
        sid = self.client.account_sid
        try:
            account = self.client.account()
        except TwilioRejectedError:
            if not self.settings.login.startswith("SK"):
                raise
            # A standard API key may not read its account, so ask for something that it may read.
            next(self.client.list_calls(page_size=1), None)
            return f"Reached account {sid}; its status is hidden from a standard API key", True
        status = account.get("status")
        reached = (
            f"Reached {account.get('type', 'Twilio')} account {account.get('friendly_name')!r} ({sid}), "
        )
        if status == "active":
            return f"{reached}status active", True
        return f"{reached}status {status}: it cannot place calls. Settle this in the Twilio console", False
