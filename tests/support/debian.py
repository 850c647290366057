"""Packages of Debian's that tests need, installed where they are missing."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / "twiliocall-apt.lock"
LOCK_LIMIT_S = 120


class CannotInstallError(RuntimeError):
    """A package is missing, and cannot be installed."""


@contextmanager
def one_installation_at_a_time() -> Iterator[None]:
    """Let other test runs wait: apt-get refuses to fetch its lists twice at the same time."""
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def installed(package: str, find: Callable[[], Path | None]) -> Path:
    """Return what a package brings, and install it first where that is not there.

    :param find: returns it, or None while it is not there
    :raises CannotInstallError: this is not Debian, we are not root, or apt-get has failed
    """
    if found := find():
        return found
    by_hand = f"install it by hand (Debian, Ubuntu: apt-get install {package}) and run the tests again"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise CannotInstallError(f"the tests need {package}, and only root on Debian can fetch it: {by_hand}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        done = subprocess.run(
            ["apt-get", "--quiet", "-o", f"DPkg::Lock::Timeout={LOCK_LIMIT_S}", *step],
            env=quiet,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    found = find()
    if found is None:
        print(done.stdout)
        raise CannotInstallError(
            f"apt-get ended with {done.returncode}, and {package} is not here: {by_hand}"
        )
    return found
