"""Every exception of the package survives being pickled or copied, whole: executors and process pools do that."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest

import airflow_provider_twiliocall
from airflow_provider_twiliocall.twilio.param_problems import Problem

NAME = airflow_provider_twiliocall.__name__

# What it takes to raise one that wants more than a message.
ARGUMENTS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "CallParamsError": (([Problem(("to",), "to is missing"), Problem(("from_",), "from_ is missing")],), {}),
    "Problem": ((21211, "12345"), {"understood": True}),
    "TwilioCallNotificationError": ((["+1*******0001: busy", "+1*******0002: busy"],), {}),
    "UnreadableError": ((12100, "Document parse failure"), {}),
    "TwilioThrottledError": (("Later",), {"retry_after": 2.5, "code": 20429, "http_status": 429}),
}


def exceptions() -> Iterator[type[Exception]]:
    for module in walk_packages(airflow_provider_twiliocall.__path__, f"{NAME}."):
        if not module.name.endswith("__main__"):
            for value in vars(import_module(module.name)).values():
                if (
                    isinstance(value, type)
                    and issubclass(value, Exception)
                    and value.__module__ == module.name
                ):
                    yield value


def raised(kind: type[Exception]) -> Exception:
    arguments, named = ARGUMENTS.get(kind.__name__, (("What went wrong",), {}))
    error = kind(*arguments, **named)
    error.seen_by = "a worker"  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    "again",
    [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deep"],
)
@pytest.mark.parametrize("kind", sorted(set(exceptions()), key=str), ids=lambda kind: kind.__name__)
def test_an_exception_survives_whole(kind: type[Exception], again: Callable[[Exception], Exception]) -> None:
    error = raised(kind)
    back = again(error)
    assert (type(back), str(back)) == (kind, str(error))
    assert vars(back) == vars(error)
