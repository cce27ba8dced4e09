"""Changes of a Graph, one file each, and the table of them; `exporter.passes.run` runs them."""

from exporter.passes.absorb_transposes import AbsorbTransposes
from exporter.passes.adopt_layout import AdoptLayout
from exporter.passes.drop_nan_guards import DropNanGuards
from exporter.passes.eliminate_noops import EliminateNoops
from exporter.passes.fold_batch_norm import FoldBatchNorm
from exporter.passes.fold_constants import FoldConstants
from exporter.passes.fold_pad import FoldPad
from exporter.passes.fold_scale import FoldScale
from exporter.passes.merge_scale import MergeScale
from exporter.passes.merge_transposes import MergeTransposes
from exporter.passes.normalise_binary import NormaliseBinary
from exporter.passes.normalise_clip import NormaliseClip
from exporter.passes.normalise_einsum import NormaliseEinsum
from exporter.passes.normalise_gather import NormaliseGather
from exporter.passes.normalise_gemm import NormaliseGemm
from exporter.passes.normalise_reduce import NormaliseReduce
from exporter.passes.normalise_reshape import NormaliseReshape
from exporter.passes.push_transposes import PushTransposes
from exporter.passes.recognise_activation import RecogniseActivation
from exporter.passes.recognise_layer_norm import RecogniseLayerNorm
from exporter.passes.recognise_moves import RecogniseMoves
from exporter.passes.remove_dead import RemoveDead
from exporter.passes.resolve_auto_pad import ResolveAutoPad
from exporter.passes.rewrite import Pass, Phase
from exporter.passes.slice_early import SliceEarly
from exporter.passes.slice_shuffles import SliceShuffles
from exporter.passes.unmerge_rows import UnmergeRows

__all__ = ["PASSES", "Pass", "Phase"]

PASSES: dict[str, type[Pass]] = {
    "fold_constants": FoldConstants,
    "eliminate_noops": EliminateNoops,
    "drop_nan_guards": DropNanGuards,
    "normalise_binary": NormaliseBinary,
    "normalise_clip": NormaliseClip,
    "normalise_einsum": NormaliseEinsum,
    "normalise_gather": NormaliseGather,
    "normalise_gemm": NormaliseGemm,
    "unmerge_rows": UnmergeRows,
    "normalise_reshape": NormaliseReshape,
    "normalise_reduce": NormaliseReduce,
    "resolve_auto_pad": ResolveAutoPad,
    "recognise_activation": RecogniseActivation,
    "recognise_layer_norm": RecogniseLayerNorm,
    "recognise_moves": RecogniseMoves,
    "slice_early": SliceEarly,
    "slice_shuffles": SliceShuffles,
    "adopt_layout": AdoptLayout,
    "merge_transposes": MergeTransposes,
    "push_transposes": PushTransposes,
    "absorb_transposes": AbsorbTransposes,
    "fold_pad": FoldPad,
    "fold_batch_norm": FoldBatchNorm,
    "fold_scale": FoldScale,
    "merge_scale": MergeScale,
    "remove_dead": RemoveDead,
}
"""Every pass by its name in a recipe, in the order in which a phase runs them."""
