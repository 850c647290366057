"""The XCom keys under which tasks tell of their calls. What is shown there has no whole phone number."""

from __future__ import annotations

from typing import Final

CALL_SID: Final = "call_sid"
"""The SID of the call that a task is about, from the moment it is known."""
CALL: Final = "call"
"""The call as a dict, as last seen."""
DIALS: Final = "dials"
"""All calls of a task that may place several, each as a dict."""
CALL_WOKEN: Final = "call_woken"
"""The SID of the call whose end has woken a deferred task: its trigger was not killed by a person."""
ANSWER: Final = "answer"
"""What the callee has answered with a key: key, option and moment; None where nobody pressed one."""
