"""Loading an ONNX model with onnxruntime."""

from collections.abc import Mapping
from typing import Any

from exporter.report.buffers import cpp_reals, cpp_stored, kotlin_fill, kotlin_reals, python_reals
from exporter.report.ports import End

Facts = Mapping[str, Any]

NOTES = """Notes for onnxruntime: `CPUExecutionProvider` is what the model was proved with; XNNPACK and NNAPI may round differently."""


def python(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """With the `onnxruntime` package."""
    feeds = ", ".join(f'"{e.name}": x{i}' for i, e in enumerate(inputs))
    lines = ["import onnxruntime as ort", "", "options = ort.SessionOptions()"]
    lines += [f"options.intra_op_num_threads = {m['runtime_options'].get('threads', 1)}"]
    lines += [f'session = ort.InferenceSession("{m["artifact"]["files"][0]}", options, providers=["CPUExecutionProvider"])']
    lines += [f"outputs = session.run([{', '.join(repr(e.name) for e in outputs)}], {{{feeds}}})"]
    for i, e in enumerate(outputs):
        lines += [f"y{i} = outputs[{i}]  # {e.source_name}: {e.shape}", *python_reals(e, i)]
    return "\n".join(lines)


def kotlin(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """With `com.microsoft.onnxruntime:onnxruntime-android`."""
    lines = [
        "import ai.onnxruntime.OnnxJavaType",
        "import ai.onnxruntime.OnnxTensor",
        "import ai.onnxruntime.OrtEnvironment",
        "import ai.onnxruntime.OrtSession",
    ]
    lines += ["import java.nio.ByteBuffer", "import java.nio.ByteOrder", "", "val env = OrtEnvironment.getEnvironment()"]
    lines += [f"val options = OrtSession.SessionOptions().apply {{ setIntraOpNumThreads({m['runtime_options'].get('threads', 1)}) }}"]
    lines += [f'val session = env.createSession(assets.open("{m["artifact"]["files"][0]}").readBytes(), options)', ""]
    for i, e in enumerate(inputs):
        lines += kotlin_fill(e, i)
        stored = f"x{i}.asFloatBuffer(), " if e.scale is None else f"x{i}, "
        kind = "" if e.scale is None else f", OnnxJavaType.{e.dtype.upper()}"
        lines += [f"val t{i} = OnnxTensor.createTensor(env, {stored}longArrayOf({', '.join(map(str, e.shape))}){kind})"]
    feeds = ", ".join(f'"{e.name}" to t{i}' for i, e in enumerate(inputs))
    lines += [f"val result = session.run(mapOf({feeds}))"]
    for i, e in enumerate(outputs):
        buffer = "floatBuffer" if e.scale is None else "byteBuffer"
        lines += [f'val y{i} = (result.get("{e.name}").get() as OnnxTensor).{buffer}  // {e.source_name}: {e.elements} values']
        lines += kotlin_reals(e, i, f"y{i}")
    return "\n".join(lines)


def cpp(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """With onnxruntime's C++ interface."""
    lines = ["#include <onnxruntime_cxx_api.h>", "", "Ort::Env env;", "Ort::SessionOptions options;"]
    lines += [f"options.SetIntraOpNumThreads({m['runtime_options'].get('threads', 1)});"]
    lines += [f'Ort::Session session(env, "{m["artifact"]["files"][0]}", options);']
    lines += ["auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);", "std::vector<Ort::Value> inputs;"]
    for i, e in enumerate(inputs):
        dims = ", ".join(map(str, e.shape))
        lines += [f"std::vector<{e.ctype}> x{i}({e.elements});  // {e.source_name}, {e.layout}", f"const int64_t shape{i}[] = {{{dims}}};"]
        lines += [
            f"inputs.push_back(Ort::Value::CreateTensor<{e.ctype}>(memory, x{i}.data(), x{i}.size(), shape{i}, {len(e.shape)}));",
            *cpp_stored(e, i),
        ]
    lines += [f"const char* in[] = {{{', '.join(_quoted(e) for e in inputs)}}};"]
    lines += [f"const char* out[] = {{{', '.join(_quoted(e) for e in outputs)}}};"]
    lines += [f"auto outputs = session.Run(Ort::RunOptions{{}}, in, inputs.data(), {len(inputs)}, out, {len(outputs)});"]
    for i, e in enumerate(outputs):
        lines += [f"const {e.ctype}* y{i} = outputs[{i}].GetTensorData<{e.ctype}>();  // {e.elements} values", *cpp_reals(e, i)]
    return "\n".join(lines)


def _quoted(end: End) -> str:
    return f'"{end.name}"'
