"""Which ops of a lowered Graph run in int8, and which of their tensors share a scale."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from exporter.formats.points import Range, Ranges
from exporter.formats.tflite.int8_rules import FIXED, JOIN, SAME, computed, has_int8, spread, stranded
from exporter.formats.tflite.ops import TfModel, TfOp, TfTensor

Fixed = tuple[float, int]

MAX_RATIO = 4.0
"""Widths of ranges that one scale serves: beyond it the parts of a Concat are requantized instead (2 bits lost at most; DenseNet121:
16.97 dB merged, 12.78 dB requantized)."""


class Groups:
    """Tensors in sets that share a scale; each set knows its range and, maybe, its fixed scale."""

    def __init__(self, tensors: Iterable[TfTensor], ranges: Ranges) -> None:
        self.tensors = list(dict.fromkeys(tensors))
        self._parent: dict[TfTensor, TfTensor] = {}
        self.range = {t: _range(t, ranges) for t in self.tensors}
        self.fixed: dict[TfTensor, Fixed] = {}

    def find(self, t: TfTensor) -> TfTensor:
        """The tensor that stands for the set."""
        while t in self._parent:
            t = self._parent[t]
        return t

    def merge(self, a: TfTensor, b: TfTensor) -> None:
        """One scale for both."""
        a, b = self.find(a), self.find(b)
        if a is b:
            return
        self._parent[b] = a
        first, second = self.range[a], self.range[b]
        both = first is not None and second is not None
        self.range[a] = (min(first[0], second[0]), max(first[1], second[1])) if both else first or second  # type: ignore[index]
        if b in self.fixed:
            self.fixed[a] = self.fixed[b]

    def fits(self, a: TfTensor, b: TfTensor) -> bool:
        """May both share a scale?"""
        a, b = self.find(a), self.find(b)
        first, second = self.range[a], self.range[b]
        if a in self.fixed or b in self.fixed:
            return self.fixed.get(a) == self.fixed.get(b) or (first if b in self.fixed else second) is None
        if first is None or second is None:
            return True
        ratio = _width(first) / _width(second)
        return 1 / MAX_RATIO <= ratio <= MAX_RATIO

    def members(self) -> list[list[TfTensor]]:
        """The sets, by their first tensor."""
        found: dict[TfTensor, list[TfTensor]] = {}
        for t in self.tensors:
            found.setdefault(self.find(t), []).append(t)
        return list(found.values())


def _width(r: Range) -> float:
    """Of the range with 0 in it, which a scale spans."""
    return max(r[1], 0.0) - min(r[0], 0.0) + 1e-9


def _range(t: TfTensor, ranges: Ranges) -> Range | None:
    return next((ranges[str(v.name)] for v in t.values if v.name in ranges), t.known)


def integer_groups(model: TfModel, ranges: Ranges, keep_float: AbstractSet[str]) -> tuple[set[TfOp], Groups]:
    """The ops that run in int8, and their tensors' sets. An op whose tensors nothing gives a scale is float."""
    integer = {op for op in model.ops if has_int8(op) and not keep_float & set(op.layers)}
    while True:
        while spread(model.ops, integer):
            pass
        groups = _grouped([op for op in model.ops if op in integer], ranges)
        known = {groups.find(t) for t in groups.tensors if t.values or t.known is not None} | {groups.find(t) for t in groups.fixed}
        lost = {op for op in integer if any(groups.find(t) not in known for t in computed([*op.inputs, *op.outputs]))}
        lost |= stranded(model, integer)
        if not lost:
            return integer, groups
        integer -= lost


def _grouped(ops: list[TfOp], ranges: Ranges) -> Groups:
    groups = Groups((t for op in ops for t in computed([*op.inputs, *op.outputs])), ranges)
    for op in ops:
        if op.kind in FIXED:
            groups.fixed[op.outputs[0]] = FIXED[op.kind]
    for op in ops:
        if op.kind in SAME:
            for t in computed([*op.inputs, *op.outputs[1:]]):
                groups.merge(t, op.outputs[0])
        for t in op.outputs:
            if t.like in groups.range:
                groups.merge(t.like, t)
    for op in ops:
        if op.kind in JOIN:
            _join(groups, op)
    return groups


def _join(groups: Groups, op: TfOp) -> None:
    """The parts that fit take the output's scale; the others are requantized on their way."""
    parts, out = computed(op.inputs), op.outputs[0]
    fixed = {groups.fixed.get(groups.find(t)) for t in parts}
    if len(fixed) == 1 and None not in fixed and len(parts) == len(op.inputs):
        for t in parts:
            groups.merge(t, out)
        return
    for t in parts:
        if groups.find(t) not in groups.fixed and groups.fits(out, t):
            groups.merge(out, t)
