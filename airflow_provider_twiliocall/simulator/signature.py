"""The signature of a webhook, which tells its receiver that Twilio has sent it."""

from __future__ import annotations

import base64
import hashlib
import hmac

from airflow_provider_twiliocall.simulator.calls.simulated_call import Form


def sign(auth_token: str, url: str, params: Form = ()) -> str:
    """``X-Twilio-Signature``: base64 of HMAC-SHA1 over the full URL and the sorted POST parameters.

    :param params: the form of a POST; a GET has all in its URL and none here.
    """
    text = url + "".join(name + value for name, value in sorted(set(params)))
    return base64.b64encode(hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()
