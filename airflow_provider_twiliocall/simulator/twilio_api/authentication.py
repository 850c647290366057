"""Who may use the account: HTTP Basic with the auth token or an API key, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac

from airflow_provider_twiliocall.simulator.calls.account import Account
from airflow_provider_twiliocall.simulator.problem import Problem


def check_credentials(
    account: Account, authorization: str, account_sid: str, *, is_account_itself: bool
) -> None:
    """Let a request in, or refuse it: 20003 for credentials that do not fit, 20404 for no such account.

    A standard API key may do all but read the account itself; a main key may do that too.
    """
    user, password = _basic(authorization)
    credentials = account.credentials
    pairs = (
        (credentials.account_sid, credentials.auth_token, True),
        (credentials.api_key_sid, credentials.api_key_secret, True),
        (credentials.standard_api_key_sid, credentials.standard_api_key_secret, not is_account_itself),
    )
    # All are compared, always, so that the time taken says nothing about which came close.
    granted = [_same(user, sid) & _same(password, secret) & allowed for sid, secret, allowed in pairs]
    if not any(granted):
        raise Problem(20003)
    if account_sid != account.sid:
        # Another account's calls are closed to these credentials; the account itself is not to be found.
        raise (
            Problem(20404, f"/2010-04-01/Accounts/{account_sid}.json")
            if is_account_itself
            else Problem(20003)
        )


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise Problem(20003)
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise Problem(20003) from error
    if not colon:
        raise Problem(20003)
    return user, password


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())
