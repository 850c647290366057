"""The processes that run one task under LocalExecutor, and the deaths they can die."""

from __future__ import annotations

from contextlib import suppress

import psutil

GONE_LIMIT_S = 15.0


class Worker:
    """The worker of one try of a task: a supervisor, which reports to Airflow, and the task's own process, its child.

    Under LocalExecutor the supervisor is a child of the scheduler; both carry the id of the task instance in
    their title.

    :param supervisor: LocalExecutor's process
    :param task: the one that runs ``execute``
    """

    def __init__(self, supervisor: psutil.Process, task: psutil.Process) -> None:
        self.supervisor = supervisor
        self.task = task

    def kill(self) -> None:
        """SIGKILL all of it at once, as when a machine is lost: nobody reports anything to Airflow."""
        victims = [*self.task.children(recursive=True), self.task, self.supervisor]
        # Frozen first, the task does not see its supervisor go, nor the supervisor the task.
        for signal in (psutil.Process.suspend, psutil.Process.kill):
            for each in reversed(victims):
                with suppress(psutil.NoSuchProcess):
                    signal(each)
        psutil.wait_procs(victims, GONE_LIMIT_S)

    def kill_task(self) -> None:
        """SIGKILL the task's process only, as when memory runs out: the supervisor reports it."""
        self.task.kill()
        psutil.wait_procs([self.task], GONE_LIMIT_S)

    def evict(self) -> None:
        """SIGTERM to the supervisor, as from a platform that wants the machine: it hands it on to the task."""
        self.supervisor.terminate()

    def suspend(self) -> None:
        """Stop both, as when a machine hangs: Airflow takes the try for dead, and it may go on later."""
        for each in (self.supervisor, self.task):
            each.suspend()

    def resume(self) -> None:
        for each in (self.task, self.supervisor):
            with suppress(psutil.NoSuchProcess):
                each.resume()

    @property
    def is_running(self) -> bool:
        """Whether the task's process is there."""
        return bool(self.task.is_running()) and self.task.status() != psutil.STATUS_ZOMBIE


def find_worker(scheduler: int, task_instance_id: str) -> Worker | None:
    """The worker of a try among the processes of a scheduler; None while there is none.

    :param task_instance_id: Airflow gives every try another one
    """
    for process in psutil.Process(scheduler).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            parent = process.parent()
            if parent and "LocalExecutor" in (title := _title(parent)) and task_instance_id in title:
                return Worker(parent, process)
    return None


def _title(process: psutil.Process) -> str:
    return " ".join(process.cmdline())
