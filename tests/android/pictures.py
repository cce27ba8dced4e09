"""What this computer takes pictures for: its own engines on the bundles' files, which the app must agree with."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from exporter.bundle import Bundle
from exporter.preprocessing import Preprocessing, load_picture
from exporter.proving.subject import bundled


def answers(bundles: Sequence[Bundle], pictures: Sequence[Path]) -> dict[str, object]:
    """Pictures, and the class of each by the name of a model."""
    found = {b.path.name: top1(b, pictures) for b in bundles} if pictures else {}
    return {"pictures": [str(p) for p in pictures], "top1": {name: classes for name, classes in found.items() if classes is not None}}


def top1(bundle: Bundle, pictures: Sequence[Path]) -> list[int] | None:
    """The class of each picture; None for a model that takes none."""
    subject = bundled(bundle)
    end = subject.inputs[0]
    contract = bundle.manifest["preprocessing"].get(end.tensor.graph_name)
    if contract is None or len(subject.inputs) > 1 or end.layout not in ("nhwc", "nchw"):
        return None
    prep = Preprocessing.from_dict(contract)
    height, width = end.shape[1:3] if end.layout == "nhwc" else end.shape[2:4]
    x = np.stack([prep.normalize(load_picture(p, height, width, prep)) for p in pictures])
    with subject.open() as engine:
        got = subject.run(engine, {end.tensor.graph_name: x if end.layout == "nhwc" else x.transpose(0, 3, 1, 2)})
    scores = next(iter(got.values())).reshape(len(pictures), -1)
    return [int(index) for index in scores.argmax(axis=1)]
