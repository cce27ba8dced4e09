"""Statistics of batch norms taken anew from data: the mean over batches of each batch's own, without any gradient.

Helps a net whose channels were removed, before its weights are repaired or trained; after a least-squares repair it hurts.
Source: Li et al. 2020, https://arxiv.org/abs/2007.02491 (EagleEye).
"""

from collections.abc import Iterable, Mapping

import tensorflow as tf

from exporter.array import Array
from exporter.errors import DataError
from exporter.graph import Graph
from exporter.train.bridge import Bridge
from exporter.train.separate import separate


def reestimated(graph: Graph, batches: Iterable[Mapping[str, Array]]) -> Graph:
    """A clone whose live batch norms have the statistics of these batches; every layer is fed by norms that use the batch.

    Args:
        graph: Batch norms live.
        batches: By source name, in the source's layout; some 100 of 32 to 256 samples.

    Raises:
        DataError: If there are no batches.
    """
    bridge = Bridge(separate(graph))

    def forward(inputs: Mapping[str, tf.Tensor], momentum: tf.Tensor) -> None:
        bridge(inputs, training=True, momentum=momentum)

    step, count = tf.function(forward, reduce_retracing=True), 0
    for inputs in batches:
        step({name: tf.constant(x) for name, x in inputs.items()}, tf.constant(count / (count + 1), tf.float32))
        count += 1
    if count == 0:
        raise DataError("no samples to take the statistics of batch norms from", hint="give a few hundred pictures")
    return bridge.to_graph()
