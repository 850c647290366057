"""What properties are tried with, and how often: what knows no Airflow need not be tried as often on another one."""

from __future__ import annotations

import os
from importlib.metadata import version

from hypothesis import settings
from hypothesis import strategies as st
from packaging.version import Version

IS_NEWEST_AIRFLOW = Version(version("apache-airflow")) >= Version("3.3")
# Said by `make pythons`.
IS_ANOTHER_PYTHON = "ANOTHER_PYTHON" in os.environ
# Enough to see whether the libraries there, pydantic above all, do the same.
SHARE_ELSEWHERE = 0.1


def reproducible(examples: int) -> settings:
    """Settings with which every run tries the same examples."""
    is_in_full = IS_NEWEST_AIRFLOW and not IS_ANOTHER_PYTHON
    tried = examples if is_in_full else int(examples * SHARE_ELSEWHERE)
    return settings(derandomize=True, max_examples=tried, deadline=None)


# Of lengths that exist: of North America, France, Italy with its zeros, Great Britain and Germany.
e164 = st.from_regex(
    r"\+(1[2-9][0-9]{9}|33[1-9][0-9]{8}|39[03][0-9]{8}|44[1-37-9][0-9]{9}|49[2-9][0-9]{7,9})", fullmatch=True
)

any_text = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("&<>\"'\r\n\t\x00\x1b\ud800\udfff\ufffe ]_"))
)
"""Text with all that markup and telephones trip over."""
