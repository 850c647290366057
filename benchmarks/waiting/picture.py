"""A picture of what waiting costs: seconds on the processor over the number of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def draw(costs: Mapping[str, Sequence[tuple[int, float]]], path: str) -> None:
    """Draw it.

    :param costs: for each way to wait, the number of calls and the seconds
    :param path: where to, as SVG
    """
    import matplotlib as mpl

    mpl.use("svg")
    # The same figures give the same file, but for the date, which is left out.
    mpl.rcParams["svg.hashsalt"] = "waiting"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for way, points in costs.items():
        axes.loglog(*zip(*points, strict=True), marker="o", label=way)
    axes.set_xlabel("calls waited for")
    axes.set_ylabel("CPU seconds")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(path, format="svg", metadata={"Date": None})
