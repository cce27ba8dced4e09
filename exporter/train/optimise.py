"""Optimisers: SGD with Nesterov's momentum, and AdamW, by TensorFlow's fused kernels.

Weight decay goes to kernels and matrices only: biases and norms have no scale to be kept small.
Source: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101 (AdamW).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf

from exporter.array import Array
from exporter.errors import unknown_name

MOMENTUM = 0.9
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Optimiser(Protocol):
    """Moves variables along their gradients; `slots` is what it remembers, by name."""

    slots: dict[str, Any]

    def apply(self, gradients: Sequence[Any], rate: Any) -> None:
        """One step; the gradients in the order of the variables, None where there is none."""


class Sgd:
    """w -= rate * (g + momentum * v), v = momentum * v + g, where g has the weight decay in it.

    Args:
        variables: By name.
        decay: Weight decay by name; 0 for those left out.
    """

    def __init__(self, variables: Mapping[str, Any], decay: Mapping[str, float]) -> None:
        self.variables, self.decay = dict(variables), decay
        self.slots = {f"{name}/velocity": _zeros(v) for name, v in variables.items()}

    def apply(self, gradients: Sequence[Any], rate: Any) -> None:
        """See `Optimiser`."""
        for (name, variable), gradient in zip(self.variables.items(), gradients, strict=True):
            if gradient is None:
                continue
            decay = self.decay.get(name, 0.0)
            whole = tf.convert_to_tensor(gradient)
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.handle, accum=self.slots[f"{name}/velocity"].handle, lr=rate,
                grad=whole + decay * variable if decay else whole, momentum=MOMENTUM, use_nesterov=True,
            )  # fmt: skip


class AdamW:
    """Adam with decoupled weight decay: w -= rate * decay * w beside Adam's step. See `Sgd`."""

    def __init__(self, variables: Mapping[str, Any], decay: Mapping[str, float]) -> None:
        self.variables, self.decay = dict(variables), decay
        self.slots = {f"{name}/{kind}": _zeros(v) for name, v in variables.items() for kind in ("mean", "square")}
        self.slots |= {"beta1_power": tf.Variable(BETA1, trainable=False), "beta2_power": tf.Variable(BETA2, trainable=False)}

    def apply(self, gradients: Sequence[Any], rate: Any) -> None:
        """See `Optimiser`."""
        first, second = self.slots["beta1_power"], self.slots["beta2_power"]
        for (name, variable), gradient in zip(self.variables.items(), gradients, strict=True):
            if gradient is None:
                continue
            if decay := self.decay.get(name, 0.0):
                variable.assign_sub(rate * decay * variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=self.slots[f"{name}/mean"].handle, v=self.slots[f"{name}/square"].handle, beta1_power=first,
                beta2_power=second, lr=rate, beta1=BETA1, beta2=BETA2, epsilon=EPSILON, grad=tf.convert_to_tensor(gradient),
            )  # fmt: skip
        first.assign(first * BETA1)
        second.assign(second * BETA2)


OPTIMISERS: dict[str, type[Sgd] | type[AdamW]] = {"adamw": AdamW, "sgd": Sgd}
"""By name in the settings."""


def make(name: str, variables: Mapping[str, Any], decay: Mapping[str, float]) -> Optimiser:
    """An optimiser by name.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in OPTIMISERS:
        raise unknown_name("optimiser", name, OPTIMISERS)
    return OPTIMISERS[name](variables, decay)


def restore(optimiser: Optimiser, slots: Mapping[str, Array]) -> None:
    """Put back what `{name: slot.numpy()}` gave."""
    for name, slot in optimiser.slots.items():
        slot.assign(slots[name])


def _zeros(variable: Any) -> Any:
    return tf.Variable(tf.zeros_like(variable), trainable=False)
