"""Which widths are timed: all of a narrow layer's, else some that tell the steps of the stairs apart."""

MOST = 40
"""Widths timed at most."""

COARSE = 16
"""Widths timed at most where every layer of a model is tried."""

LEAST_SHARE = 4
"""The narrowest is one in so many of the channels."""

ANCHOR = 16
"""Widths are tried around multiples of it."""

BELOW = (0, 1, 2, 4, 8)
"""So far below each: A - 8 tells steps of 16 from steps of 8, A - 4 those of 8 from those of 4, ..."""

MORE = (12, 6, 3, 14, 10)
"""And so far, where that leaves room."""


def default_widths(channels: int, most: int = MOST) -> tuple[int, ...]:
    """Widths from a quarter of the channels up to all, ascending.

    Args:
        channels: Of the layer.
        most: How many at most.
    """
    least = max(-(-channels // LEAST_SHARE), 1)
    if channels - least < most:
        return tuple(range(least, channels + 1))
    anchors = list(range(-(-(least + BELOW[-1]) // ANCHOR) * ANCHOR, channels, ANCHOR)) or [channels]
    count = max((most - 1) // len(BELOW) - 1, 1)
    chosen = {channels, *(anchors[round(i * (len(anchors) - 1) / max(count - 1, 1))] for i in range(count))}
    found = {least}
    for below in (*BELOW, *MORE):
        near = {a - below for a in chosen if a - below >= least}
        if below in BELOW or len(found | near) <= most:
            found |= near
    return tuple(sorted(found))
