"""``X-Twilio-Signature``: made by Twilio (and the simulator), verified by who receives a webhook.

Source of the rule: https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable

HEADER = "X-Twilio-Signature"


def sign(auth_token: str, url: str, params: Iterable[tuple[str, str]] = ()) -> str:
    """Return base64 of HMAC-SHA1 over the full URL and the sorted POST parameters.

    :param url: as Twilio called it, with its query; not as a proxy has passed it on
    :param params: the form of a POST; a GET has all in its URL and none here
    """
    text = url + "".join(name + value for name, value in sorted(set(params)))
    digest = hmac.new(auth_token.encode(), text.encode(errors="surrogatepass"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_signed(auth_token: str, url: str, params: Iterable[tuple[str, str]], signature: str) -> bool:
    """Say whether a signature is the right one; takes as long for a wrong one."""
    return hmac.compare_digest(sign(auth_token, url, params).encode(), signature.encode(errors="replace"))
