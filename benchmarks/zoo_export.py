"""Exports nets of torchvision, timm and transformers as .onnx files, by both exporters of PyTorch: work for `benchmarks.zoo`.

    python benchmarks/zoo_export.py FOLDER       the nets are named in zoo.txt

To be run where torch, torchvision, timm, transformers and onnx are installed (seen with torch 2.11, torchvision 0.26, timm 1.0.29,
transformers 5.17); it needs nothing of ours. Weights are random: what is tried is how these libraries write their graphs. A net that
PyTorch cannot export is told and left out.
"""

import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Made = tuple[torch.nn.Module, tuple[torch.Tensor, ...]]
"""A net and an input of one sample."""


class One(torch.nn.Module):  # type: ignore[misc, unused-ignore]  # torch is not here
    """A net that answers with a record, as one of its fields."""

    def __init__(self, net: torch.nn.Module, field: str) -> None:
        super().__init__()
        self.net, self.field = net, field

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One output for one input."""
        answer = self.net(x)
        return answer[self.field] if isinstance(answer, dict) else getattr(answer, self.field)


def of_torchvision(name: str) -> Made:
    import torchvision

    more: dict[str, Any] = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
    side = 299 if name == "inception_v3" else 224
    return getattr(torchvision.models, name)(weights=None, **more), (torch.rand(1, 3, side, side),)


def of_segmentation(name: str) -> Made:
    import torchvision

    net = getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None, aux_loss=False)
    return One(net, "out"), (torch.rand(1, 3, 128, 128),)


def of_timm(name: str) -> Made:
    import timm

    net = timm.create_model(name, pretrained=False, exportable=True)
    return net, (torch.rand(1, *net.default_cfg.get("input_size", (3, 224, 224))),)


def of_transformers(name: str) -> Made:
    import transformers as t

    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    wide = {**small, "intermediate_size": 128}
    made: dict[str, Callable[[], tuple[torch.nn.Module, str, tuple[int, ...]]]] = {
        "segformer": lambda: (t.SegformerForSemanticSegmentation(t.SegformerConfig()), "logits", (3, 128, 128)),
        "mobilevit": lambda: (t.MobileViTForSemanticSegmentation(t.MobileViTConfig()), "logits", (3, 256, 256)),
        "yolos": lambda: (t.YolosForObjectDetection(t.YolosConfig(image_size=[64, 64], **wide)), "logits", (3, 64, 64)),
        "dinov2": lambda: (t.Dinov2Model(t.Dinov2Config(image_size=56, patch_size=14, **small)), "last_hidden_state", (3, 56, 56)),
        "resnet": lambda: (
            t.ResNetForImageClassification(t.ResNetConfig(depths=[1, 1, 1, 1], hidden_sizes=[32, 64, 64, 64])), "logits", (3, 64, 64)
        ),
        "poolformer": lambda: (t.PoolFormerForImageClassification(t.PoolFormerConfig(depths=[1, 1, 1, 1])), "logits", (3, 64, 64)),
        "wav2vec2": lambda: (
            t.Wav2Vec2Model(t.Wav2Vec2Config(num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, **wide)),
            "last_hidden_state", (4000,),
        ),
    }  # fmt: skip
    net, field, shape = made[name]()
    return One(net, field), (torch.rand(1, *shape),)


MAKERS = {"torchvision": of_torchvision, "segmentation": of_segmentation, "timm": of_timm, "transformers": of_transformers}


def export(job: tuple[str, str, str, str]) -> str:
    """Write one file; returns its name, or what PyTorch said."""
    folder, kind, name, how = job
    path = Path(folder) / f"{kind}-{name}-{how}.onnx"
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    try:
        net, x = MAKERS[kind](name)
        net.eval()
        with torch.no_grad():
            if how == "dynamo":
                torch.onnx.export(net, x, path, dynamo=True, external_data=False, verbose=False)
            else:
                batch = {"input": {0: "batch"}, "output": {0: "batch"}}
                names = {"input_names": ["input"], "output_names": ["output"]}
                torch.onnx.export(net, x, path, dynamo=False, opset_version=17, dynamic_axes=batch, **names)
    except Exception as problem:
        path.unlink(missing_ok=True)
        return f"{path.stem}: {type(problem).__name__}: {str(problem).splitlines()[0][:150]}"
    return path.name


def main() -> None:
    """All nets, by the TorchScript exporter with a free batch and by the newer one with a batch of one."""
    folder = sys.argv[1]
    Path(folder).mkdir(parents=True, exist_ok=True)
    nets = [line.split() for line in Path(__file__).with_name("zoo.txt").read_text().splitlines()]
    jobs = [(folder, kind, name, how) for how in ("script", "dynamo") for kind, *names in nets if kind in MAKERS for name in names]
    with multiprocessing.get_context("spawn").Pool(max((os.cpu_count() or 2) // 2, 1)) as pool:
        for said in pool.imap_unordered(export, jobs):
            print(said, flush=True)


if __name__ == "__main__":
    main()
