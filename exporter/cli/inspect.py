"""`mexport inspect`."""

from exporter.cli import options as o
from exporter.cli.command import Settings

NAME = "inspect"
EXAMPLES = """
Examples:
mexport inspect model.keras
mexport inspect net.onnx --json
mexport inspect model.tflite
"""


def run(
    settings: Settings,
    *,
    model: o.Model,
    input_shape: o.InputShapes = None,
    inputs: o.Inputs = None,
    outputs: o.Outputs = None,
    signature: o.Signature = None,
    trust: o.Trust = False,
    custom_objects: o.CustomObjects = None,
) -> None:
    """Show a model's operators, shapes, parameters and costs by layer, and what each format makes of it."""
    from exporter import inspection
    from exporter.cli import parse
    from exporter.cli.text import inspection_text

    facts = inspection.inspect(
        parse.existing(model, "model"), input_shapes=parse.shapes(input_shape), inputs=parse.names(inputs),
        outputs=parse.names(outputs), trust=trust, custom_objects=custom_objects, signature=signature,
    )  # fmt: skip
    settings.emit(facts, inspection_text(facts))
