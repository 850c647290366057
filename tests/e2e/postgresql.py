"""A PostgreSQL server to throw away: Debian's, on a free port of 127.0.0.1, with its data in a temporary folder."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

import psycopg2

from tests.support.debian import installed, one_installation_at_a_time
from tests.support.waiting import free_ports, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0
LOG_TAIL = 4000

USER = "airflow"
DATABASE = "postgres"
UNPRIVILEGED = ("postgres", "nobody")
DEBIAN = Path("/usr/lib/postgresql")
# Debian's package makes and starts a server of its own on installation, unless it is told not to.
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/00-no-main-cluster.conf")

# The data need not outlive a power cut, and several Airflows' worth of processes connect.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "synchronous_commit": "off",
    "unix_socket_directories": "",
}


class PostgreSQL:
    """A server with one empty database; a context manager. Run by root, the server runs as somebody else."""

    def __init__(self) -> None:
        self._password = secrets.token_hex(16)
        (self._port,) = free_ports(1)
        self._as_user: Mapping[str, Any] = {}
        self._home: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What SQLAlchemy connects to."""
        return f"postgresql+psycopg2://{USER}:{self._password}@127.0.0.1:{self._port}/{DATABASE}"

    def __enter__(self) -> PostgreSQL:
        binaries = find_binaries() or install()
        self._as_user = _unprivileged_user()
        # Not within pytest's own temporary folders: those are closed to the user the server runs as.
        self._home = Path(tempfile.mkdtemp(prefix="twiliocall-postgresql-"))
        try:
            self._start(binaries, self._home)
            wait_until(self._is_ready, "PostgreSQL to accept connections", START_LIMIT_S)
        except BaseException:
            print(self.log())
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and remove its data."""
        if self._server is not None:
            with suppress(ProcessLookupError):
                self._server.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(STOP_LIMIT_S)
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)

    def log(self) -> str:
        """The end of what the server has said."""
        log = self._home and self._home / "server.log"
        return log.read_text(errors="replace")[-LOG_TAIL:] if log and log.exists() else ""

    def _start(self, binaries: Path, home: Path) -> None:
        password = home / "password"
        password.write_text(self._password)
        if self._as_user:
            for path in (home, password):
                shutil.chown(path, self._as_user["user"], self._as_user["group"])
        data = home / "data"
        with (home / "server.log").open("wb") as log:
            initdb = self._run(
                log,
                *(binaries / "initdb", f"--pgdata={data}", f"--username={USER}", f"--pwfile={password}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"),
            )
            if initdb.wait(START_LIMIT_S):
                raise RuntimeError("initdb did not succeed")
            settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
            self._server = self._run(log, binaries / "postgres", "-D", data, "-p", str(self._port), *settings)

    def _run(self, log: IO[bytes], *command: str | Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **self._as_user,
        )

    def _is_ready(self) -> bool:
        if self._server is None or self._server.poll() is not None:
            raise RuntimeError("PostgreSQL ended early")
        try:
            psycopg2.connect(
                host="127.0.0.1", port=self._port, user=USER, password=self._password, dbname=DATABASE
            ).close()
        except psycopg2.OperationalError:
            return False
        return True


def find_binaries(debian: Path = DEBIAN) -> Path | None:
    """The folder with ``initdb`` and ``postgres``: Debian's newest, else where PATH leads; None without either."""
    versions = sorted(debian.glob("*/bin/initdb"), key=lambda path: _version_of(path.parent.parent))
    found = versions[-1] if versions else shutil.which("initdb")
    if found is None or not (folder := Path(found).parent).joinpath("postgres").exists():
        return None
    return folder


def install() -> Path:
    """Install Debian's package, without the server it starts of its own accord; return where the binaries are.

    :raises CannotInstallError: this is not Debian, or we are not root
    """
    with one_installation_at_a_time(), _no_cluster_of_its_own():
        return installed("postgresql", find_binaries)


@contextmanager
def _no_cluster_of_its_own() -> Iterator[None]:
    made = [folder for folder in (NO_CLUSTER.parent, NO_CLUSTER.parent.parent) if not folder.exists()]
    NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    NO_CLUSTER.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        NO_CLUSTER.unlink()
        for folder in made:
            with suppress(OSError):  # The package has come to live there.
                folder.rmdir()


def _unprivileged_user() -> Mapping[str, Any]:
    """How ``Popen`` becomes a user that PostgreSQL runs as; nothing unless we are root, whom it refuses."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next(known[name] for name in UNPRIVILEGED if name in known)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _version_of(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.name.split(".") if part.isdigit())
