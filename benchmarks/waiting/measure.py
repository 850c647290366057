"""``python -m benchmarks.waiting.measure PEER URL CALLS``: wait for so many calls in one way; print what it cost."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import threading
import time
import urllib.request
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

from benchmarks.waiting.peers import PEERS, Wait

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") / 1024
_BETWEEN_SAMPLES_S = 0.5


@dataclass
class Waited:
    """What a peer has spent on waiting.

    :param cpu_s: seconds of this process on the processor
    :param kib_per_call: growth of its resident memory
    :param late_p50: seconds from a call's end until it was known
    """

    cpu_s: float
    requests: float
    kib_per_call: float
    file_descriptors: float
    threads: float
    late_p50: float
    late_p95: float
    lost: float


def main(peer: str, url: str, calls: int) -> None:
    # Whoever waits, waits in a triggerer: what that has loaded weighs on the garbage collector of all alike.
    import airflow.jobs.triggerer_job_runner  # noqa: F401

    wait = PEERS[peer](url)
    # What a line of a log costs is Airflow's, and only ours would write any.
    logging.disable(logging.INFO)
    print(json.dumps(asdict(asyncio.run(_measured(wait, url, calls)))))


async def _measured(wait: Wait, url: str, calls: int) -> Waited:
    await _warmed_up(wait, url)
    ends: dict[str, float] = _get(url, f"/bench/start?calls={calls}")
    gc.collect()
    peaks = [0.0, 0.0, 0.0]
    before, cpu = _usage()[0], time.process_time()
    sampling = asyncio.ensure_future(_sample(peaks))
    late = await asyncio.gather(*(_lateness(wait, sid, end) for sid, end in ends.items()))
    cpu = time.process_time() - cpu
    sampling.cancel()
    known = [each for each in late if each is not None]
    return Waited(
        cpu_s=cpu,
        requests=_get(url, "/bench/requests"),
        kib_per_call=(peaks[0] - before) / calls,
        file_descriptors=int(peaks[1]),
        threads=int(peaks[2]),
        late_p50=median(known),
        late_p95=quantiles(known, n=20)[-1] if len(known) > 1 else known[0],
        lost=len(late) - len(known),
    )


async def _warmed_up(wait: Wait, url: str) -> None:
    """Load all code, and what the first call of a process costs: nobody pays that again for another call."""
    from benchmarks.waiting import server

    [sid] = _get(url, "/bench/start?calls=1")
    await asyncio.wait_for(wait(sid), server.LONGEST_S + 60)


async def _lateness(wait: Wait, sid: str, end: float) -> float | None:
    try:
        await wait(sid)
    except Exception as error:
        print(f"lost: {error!r:.200}", file=sys.stderr)
        return None
    return time.time() - end


async def _sample(peaks: list[float]) -> None:
    while True:
        peaks[:] = map(max, peaks, _usage())
        await asyncio.sleep(_BETWEEN_SAMPLES_S)


def _usage() -> tuple[float, int, int]:
    with open("/proc/self/statm") as file:
        kib = int(file.read().split()[1]) * _PAGE_KIB
    return kib, len(os.listdir("/proc/self/fd")), threading.active_count()


def _get(url: str, path: str) -> Any:
    with urllib.request.urlopen(f"{url}{path}") as answer:
        return json.load(answer)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
