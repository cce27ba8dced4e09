"""How far a training is, by the clock or by steps, and the learning rate there.

Source of the cosine: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983.
"""

import math
import time


class Schedule:
    """The way from 0 to 1.

    Args:
        minutes: Length by the clock.
        steps: Length in steps instead; None: the clock rules.
        peak: Highest learning rate.
        warmup: Share of the way in which the rate rises.
        spent_s: Seconds of an earlier run that this one goes on with.
    """

    def __init__(self, minutes: float, steps: int | None, peak: float, warmup: float, spent_s: float = 0.0) -> None:
        self.limit_s, self.steps, self.peak, self.warmup = minutes * 60, steps, peak, warmup
        self._start = time.monotonic() - spent_s

    @property
    def spent_s(self) -> float:
        """Seconds since the start, earlier runs included."""
        return time.monotonic() - self._start

    def progress(self, step: int) -> float:
        """The share that is done before this step; 1 or more at the end."""
        return self.spent_s / self.limit_s if self.steps is None else step / self.steps

    def rate(self, progress: float) -> float:
        """The learning rate: up in a line, down in half a cosine to nothing."""
        if progress < self.warmup:
            return self.peak * max(progress / self.warmup, 0.01)
        way = min((progress - self.warmup) / (1 - self.warmup), 1.0)
        return self.peak * 0.5 * (1 + math.cos(math.pi * way))

    def left_s(self, step: int) -> float:
        """Seconds to go; of a training in steps, at the pace so far."""
        if self.steps is None:
            return max(self.limit_s - self.spent_s, 0.0)
        return self.spent_s / step * (self.steps - step) if step else math.inf
