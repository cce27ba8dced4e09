"""An op list in float to one in int8: integers where there are scales, QUANTIZE and DEQUANTIZE around what stays float."""

from exporter.formats.artifact import Problem
from exporter.formats.tflite.int8_rules import JOIN, SAME, WEIGHTED, Layer, computed, has_int8
from exporter.formats.tflite.int8_scales import constant_scale, equal, scales_of
from exporter.formats.tflite.int8_weights import channel_scales, store_layer, stored_weights
from exporter.formats.tflite.ops import TfModel, TfOp, TfTensor, name_tensors, prune
from exporter.graph.qdq import Affine, Quantization, affine


def to_int8(model: TfModel, quantization: Quantization, io: str) -> list[Problem]:
    """Rewrite the list in place.

    Args:
        model: As `lower(graph, int8=True)` gave it.
        quantization: What `strip` found in the Graph.
        io: Type of the inputs and outputs that have a scale: "float32", "int8" or "uint8".

    Returns:
        The layers that run in float, with the reason.
    """
    work = _Rewrite(model, quantization)
    floats = [_problem(op) for op in model.ops if op not in work.integer]
    work.inputs(io)
    for op in model.ops:
        work.op(op)
    work.outputs(io)
    model.ops = work.ops
    prune(model)
    name_tensors(model)
    return floats


def _problem(op: TfOp) -> Problem:
    reason = "it was kept float, or holds what has no scale" if has_int8(op) else f"TFLite has no {op.kind} in int8"
    return Problem(op.layers[0] or op.outputs[0].name, op.kind, reason, fatal=False)


class _Rewrite:
    """The new list as it grows; every computed tensor is there as integers, as reals, or both."""

    def __init__(self, model: TfModel, quantization: Quantization) -> None:
        self.model, self.quantization = model, quantization
        self.scales, self.integer = scales_of(model, quantization)
        self.rounded = {t for t in self.scales if any(str(v.name) in quantization.values for v in t.values)}
        self.ops: list[TfOp] = []
        self.stored: dict[TfTensor, list[TfTensor]] = {}
        self.reals: set[TfTensor] = set()
        self.back: dict[TfTensor, TfTensor] = {}

    # -- the two forms of a tensor
    def as_int8(self, t: TfTensor, how: Affine) -> TfTensor:
        """The tensor in integers of that scale, by a QUANTIZE where there is none yet."""
        forms = self.stored.setdefault(t, [])
        for form in forms:
            if form.quant is not None and form.dtype == "int8" and equal(form.quant, how):
                return form
        if not forms and not equal(how, self.scales[t]):
            self.as_int8(t, self.scales[t])
        made = self.convert(forms[0] if forms else t, f"{t.name}_int8", how)
        forms.append(made)
        return made

    def as_real(self, t: TfTensor) -> TfTensor:
        """The tensor in float32: rounded where all its readers are to see it rounded."""
        if t in self.reals and t not in self.rounded:
            return t
        if t not in self.back:
            self.back[t] = TfTensor(f"{t.name}_float", t.shape)
            self.push(TfOp("DEQUANTIZE", [self.as_int8(t, self.scales[t])], [self.back[t]], {}))
        return self.back[t]

    def convert(self, source: TfTensor, name: str, how: Affine) -> TfTensor:
        """QUANTIZE: from float32, or from other integers."""
        made = TfTensor(name, source.shape, computed=how.dtype)
        made.quant = how
        self.push(TfOp("QUANTIZE", [source], [made], {}))
        return made

    def push(self, op: TfOp) -> None:
        """Append an op to the new list."""
        for t in op.outputs:
            t.producer = op
        self.ops.append(op)

    def integers(self, t: TfTensor, how: Affine) -> None:
        """The tensor itself holds integers."""
        t.computed, t.quant = how.dtype, how
        self.stored.setdefault(t, []).append(t)

    # -- ops
    def op(self, op: TfOp) -> None:
        """Copy an op into the new list."""
        reals = computed(op.outputs)
        if op not in self.integer:
            op.inputs = [self.as_real(t) if t in self.reals or t in self.stored else t for t in op.inputs]
            self.push(op)
            self.reals.update(reals)
            for t in reals:
                self.tap(t)
        elif op.kind in WEIGHTED:
            self.layer(op, WEIGHTED[op.kind])
        else:
            self.plain(op)

    def tap(self, t: TfTensor) -> None:
        """A value that is rounded is held by its rounded form."""
        if t in self.rounded and t in self.scales and t not in self.model.outputs:
            form = self.as_int8(t, self.scales[t])
            self.model.held.update({v: (form, axes) for v, (held, axes) in self.model.held.items() if held is t})

    def layer(self, op: TfOp, layer: Layer) -> None:
        """A convolution or a dense layer."""
        x, out = op.inputs[layer.input], op.outputs[0]
        how = self.scales[x]
        op.inputs[layer.input] = self.as_int8(x, how)
        store_layer(op, layer, how, self.scales[out], self.quantization)
        self.push(op)
        self.integers(out, self.scales[out])

    def plain(self, op: TfOp) -> None:
        """Any other op: those that keep a scale do so, and what they give is requantized where it has another."""
        out = self.scales[op.outputs[0]]
        source = next(self.scales[t] for t in op.inputs if t in self.scales)
        common = source if op.kind in SAME else out if op.kind in JOIN else None
        reals = computed(op.outputs)
        op.inputs = [self.operand(op, t, common) for t in op.inputs]
        targets = list(op.outputs)
        for i, t in enumerate(op.outputs):
            if t in reals and common is not None and not equal(common, self.scales[t]):
                op.outputs[i] = TfTensor(f"{t.name}_raw", t.shape, computed="int8")
                op.outputs[i].quant = common
        self.push(op)
        for made, t in zip(op.outputs, targets, strict=True):
            self.integers(t, self.scales[t])
            if made is not t:
                self.push(TfOp("QUANTIZE", [made], [t], {}))

    def operand(self, op: TfOp, t: TfTensor, common: Affine | None) -> TfTensor:
        """An input of an int8 op: integers, a constant's too; shapes and axes as they are."""
        if t.data is None:
            return self.as_int8(t, common or self.scales[t])
        if t.data.dtype != "float32":
            return t
        if op.kind == "BATCH_MATMUL":
            return self.matrix(t)
        how = common or constant_scale(t, t.data, self.quantization)
        made = TfTensor(t.name, t.shape, how.quantize(t.data))
        made.quant = how
        return made

    def matrix(self, t: TfTensor) -> TfTensor:
        """The constant side of a product: symmetric, one scale."""
        assert t.data is not None
        scale, lowest = channel_scales(t, t.data.reshape(1, -1), self.quantization)
        made = stored_weights(t, t.data.reshape(1, *t.data.shape), scale.astype("float32"), WEIGHTED["CONV_2D"], lowest)
        made.quant = affine(float(scale[0]), 0)
        return made

    # -- ends
    def inputs(self, io: str) -> None:
        """The inputs in the type asked for; one that nothing rounds is float32."""
        for t in self.model.inputs:
            how = self.scales.get(t)
            if how is None or io == "float32":
                self.reals.add(t)
            elif io == "int8":
                self.integers(t, how)
            else:
                t.computed, t.quant = "uint8", _unsigned(how)
                self.stored[t] = [self.convert(t, f"{t.name}_int8", how)]

    def outputs(self, io: str) -> None:
        """The outputs in the type asked for, under their names."""
        for i, t in enumerate(self.model.outputs):
            how = self.scales.get(t)
            if how is None or (t in self.reals and t not in self.rounded):
                continue
            stored = self.as_int8(t, how)
            if io == "int8" and stored is t:
                continue
            made = TfTensor(t.name, t.shape)
            t.name += "_int8" if stored is t else "_raw"
            if io == "float32":
                self.push(TfOp("DEQUANTIZE", [stored], [made], {}))
            else:
                made.quant = how if io == "int8" else _unsigned(how)
                made.computed = made.quant.dtype
                self.push(TfOp("QUANTIZE", [stored], [made], {}))
            self.model.outputs[i] = made
            self.model.held.update({v: (made, axes) for v, (held, axes) in self.model.held.items() if held is t})


def _unsigned(how: Affine) -> Affine:
    return affine(float(how.scale), int(how.zero_point) + 128, "uint8")
