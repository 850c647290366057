"""What a simulated account is known by: SIDs and secrets that are the same at every start, and its numbers."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

E164 = re.compile(r"\+[1-9]\d{6,14}")


def derived(prefix: str, purpose: str) -> str:
    """The same made-up SID or secret at every start, so that a connection line stays valid."""
    return prefix + hashlib.sha256(f"twilio simulator: {purpose}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Credentials:
    """Who may use the account."""

    account_sid: str = derived("AC", "account")
    auth_token: str = derived("", "auth token")
    api_key_sid: str = derived("SK", "main API key")
    api_key_secret: str = derived("", "main API key's secret")
    standard_api_key_sid: str = derived("SK", "standard API key")
    standard_api_key_secret: str = derived("", "standard API key's secret")


@dataclass(frozen=True)
class OwnedNumber:
    """A phone number calls may come from."""

    phone_number: str
    sid: str
    bought_at: float
