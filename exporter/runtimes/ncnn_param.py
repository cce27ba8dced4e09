"""Read an ncnn `.param` file before the engine, which trusts it, sees it."""

from dataclasses import dataclass
from pathlib import Path

from exporter.errors import EngineError

MAGIC = "7767517"


@dataclass(frozen=True, slots=True)
class ParamLayer:
    """A line of the file; params by number, arrays as lists of numbers."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: dict[int, float | list[float]]

    def integer(self, number: int, default: int = 0) -> int:
        """A parameter as an int."""
        value = self.params.get(number, default)
        return default if isinstance(value, list) else int(value)


def read_param(path: Path) -> list[ParamLayer]:
    """The layers of a `.param` file.

    Raises:
        EngineError: If it is not one, or is cut short.
    """
    if not path.is_file():
        raise EngineError(f"no file {path}", hint="give the path of a `.param` file")
    lines = path.read_text(errors="replace").splitlines()
    if not lines or lines[0].strip() != MAGIC:
        raise EngineError(f"{path.name} is not an ncnn .param text file: it does not begin with {MAGIC}", hint="build it again")
    try:
        count = int(lines[1].split()[0])
        layers = [_layer(line.split()) for line in lines[2:] if line.strip()]
    except (IndexError, ValueError) as problem:
        raise EngineError(f"{path.name} is damaged: {problem}", hint="build it again") from problem
    if len(layers) < count:
        raise EngineError(f"{path.name} announces {count} layers and has {len(layers)}", hint="it is cut short; build it again")
    layers = layers[:count]  # ncnn reads no further either
    _check_blobs(path, layers)
    return layers


def _layer(words: list[str]) -> ParamLayer:
    kind, name, inputs, outputs = words[0], words[1], int(words[2]), int(words[3])
    names, rest = words[4 : 4 + inputs + outputs], words[4 + inputs + outputs :]
    if len(names) != inputs + outputs:
        raise ValueError(f"layer {name} names {len(names)} blobs, needs {inputs + outputs}")
    params = dict(_param(word) for word in rest if "=" in word)
    return ParamLayer(kind, name, tuple(names[:inputs]), tuple(names[inputs:]), params)


def _param(word: str) -> tuple[int, float | list[float]]:
    key, value = word.split("=", 1)
    number = int(key)
    if value.startswith('"'):
        return number, []  # an expression, as newer converters write shapes
    if number <= -23300:
        return -23300 - number, [float(v) for v in value.split(",")[1:] if v]
    if "," in value:
        return number, [float(v) for v in value.split(",") if v]
    try:
        return number, float(value)
    except ValueError:
        return number, []  # an expression or a text


def _check_blobs(path: Path, layers: list[ParamLayer]) -> None:
    made: set[str] = set()
    for layer in layers:
        missing = [blob for blob in layer.inputs if blob not in made]
        if missing:
            raise EngineError(f"{path.name}: layer {layer.name} reads {missing[0]}, which no earlier layer makes", hint="build it again")
        made.update(layer.outputs)
