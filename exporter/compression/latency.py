"""A budget of time: widths chosen by what the engine really takes, on this host."""

from collections.abc import Callable, Collection
from itertools import pairwise
from pathlib import Path

from exporter.channels.classes import Channels
from exporter.compression.ascent import TooSlowError, judge, widest_within
from exporter.compression.timing import Side, side
from exporter.cost.count import totals
from exporter.disk import Scratch
from exporter.errors import LimitError, UsageError
from exporter.graph import Graph
from exporter.latency import Versus, versus
from exporter.pruning.plan import Plan
from exporter.pruning.schedule import Schedule
from exporter.pruning.scores import Scorer
from exporter.pruning.widths import DEFAULT, Ladder, Scope, ladder_of, ways

Tick = Callable[[int], None]
Write = Callable[[Graph, str], Side]


def plan_of_latency(
    graph: Graph,
    share: float,
    format: str,
    *,
    scorer: Scorer = DEFAULT,
    scope: Scope = Scope.INNER,
    channel_step: int = 8,
    skip: Collection[str] = (),
    threads: int = 1,
    whole: Graph | None = None,
    tick: Tick = lambda done: None,
) -> tuple[Plan, Versus]:
    """Which channels of a cleaned Graph to remove so that its file takes at most a share of the time, measured here.

    Files are written in float32 and timed against the whole Graph's, interleaved; nothing is guessed from counts but the order of trying.
    One thread is judged by processor time, which is the time on an idle machine, several by the clock; `Versus` has both.

    Args:
        graph: The Graph, batch norm live or folded.
        share: Of the whole's time, e.g. 0.5; the result is within 5 % below it where widths on the step allow it,
            and up to 5 % above where even the narrowest take so long.
        format: "ncnn", "tflite" or "onnx".
        scorer: Of every class of channels.
        scope: See `Scope`.
        channel_step: Widths are multiples of it where that can be.
        skip: Names of layers (of their outputs) that keep their width.
        threads: Of the engine.
        whole: What it is a share of; None for the Graph itself.
        tick: Told the number of pairs timed so far.

    Returns:
        The plan; and the pruned Graph (b) against the whole (a), at least 200 pairs over 5 process pairs.

    Raises:
        LimitError: If even the narrowest widths take longer than that.
        UsageError: If the share makes no sense, or no layer has a name that is to be skipped.
        UnsupportedOpError: If the format cannot express a layer.
    """
    if not 0 < share <= 1:
        raise UsageError(f"latency {share:g}: a share above 0 and up to 1 is needed", hint="0.5 halves the time")
    channels, schedules = ways(graph, scorer, channel_step, skip)
    with Scratch() as temporary:

        def write(graph: Graph, name: str) -> Side:
            return side(graph, format, Path(temporary, name), threads=threads)

        race = _Race(channels, schedules, ladder_of(schedules, scope), write, tick, whole=whole or graph)
        try:
            number, found = widest_within(share, len(race.rungs), race.cost, race.timed, judge(threads))
        except TooSlowError as problem:
            raise LimitError(
                f"latency {share:g}: the narrowest widths take {problem.least:.3f} of the time in {format}",
                hint=f"ask for {problem.least + 0.01:.2f} or more, or for a smaller channel step than {channel_step}",
            ) from problem
        return race.plan(number), found


class _Race:
    """Plans against the whole Graph, each written when it is first timed.

    Args:
        channels: Of the whole Graph.
        schedules: Of the widths that may change.
        ladder: Plans, from the widest to the narrowest.
        write: Writes a Graph under a name, ready to be timed.
        tick: Told the number of pairs timed so far.
        whole: What they race against.
    """

    def __init__(
        self, channels: Channels, schedules: tuple[Schedule, ...], ladder: Ladder, write: Write, tick: Tick, *, whole: Graph
    ) -> None:
        self.channels, self.schedules = channels, schedules
        self.rungs = single_steps(ladder, schedules)
        self.write, self.tick = write, tick
        self.whole = write(whole, "whole")
        self.macs = totals(whole).macs
        self.plans: dict[int, Plan] = {}
        self.sides: dict[int, Side] = {}
        self.pairs = 0

    def plan(self, number: int) -> Plan:
        """The plan on a rung."""
        if number not in self.plans:
            self.plans[number] = Plan(self.channels, self.schedules, self.rungs[number])
        return self.plans[number]

    def cost(self, number: int) -> float:
        """Its MACs, of the whole's."""
        return self.plan(number).cost.macs / max(self.macs, 1)

    def timed(self, number: int, pairs: int, process_pairs: int) -> Versus:
        """Its file against the whole's."""
        if number not in self.sides:
            self.sides[number] = self.write(self.plan(number).apply(), str(number))
        before = self.pairs
        found = versus(self.whole, self.sides[number], pairs=pairs, process_pairs=process_pairs, tick=lambda done: self.tick(before + done))
        self.pairs += len(found.a_ms)
        return found


def single_steps(ladder: Ladder, schedules: tuple[Schedule, ...]) -> Ladder:
    """The same way down, one width and one stop at a time: so near to any time that the next plan is hardly quicker.

    Args:
        ladder: Numbers of steps of each width, from the widest to the narrowest.
        schedules: Of the widths.
    """
    found = [tuple(ladder[0])]
    for _, below in pairwise(ladder):
        for i, one in enumerate(schedules):
            for stop in (s for s in one.stops if found[-1][i] < s <= below[i]):
                found.append((*found[-1][:i], stop, *found[-1][i + 1 :]))
    return found
