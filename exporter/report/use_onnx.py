"""Loading an ONNX model with onnxruntime."""

from collections.abc import Mapping
from typing import Any

from exporter.report.buffers import kotlin_fill
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
    lines += [f"y{i} = outputs[{i}]  # {e.source_name}: {e.shape}" for i, e in enumerate(outputs)]
    return "\n".join(lines)


def kotlin(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """With `com.microsoft.onnxruntime:onnxruntime-android`."""
    lines = ["import ai.onnxruntime.OnnxTensor", "import ai.onnxruntime.OrtEnvironment", "import ai.onnxruntime.OrtSession"]
    lines += ["import java.nio.ByteBuffer", "import java.nio.ByteOrder", "", "val env = OrtEnvironment.getEnvironment()"]
    lines += [f"val options = OrtSession.SessionOptions().apply {{ setIntraOpNumThreads({m['runtime_options'].get('threads', 1)}) }}"]
    lines += [f'val session = env.createSession(assets.open("{m["artifact"]["files"][0]}").readBytes(), options)', ""]
    for i, e in enumerate(inputs):
        lines += kotlin_fill(e, i)
        lines += [f"val t{i} = OnnxTensor.createTensor(env, x{i}.asFloatBuffer(), longArrayOf({', '.join(map(str, e.shape))}))"]
    feeds = ", ".join(f'"{e.name}" to t{i}' for i, e in enumerate(inputs))
    lines += [f"val result = session.run(mapOf({feeds}))"]
    lines += [
        f'val y{i} = (result.get("{e.name}").get() as OnnxTensor).floatBuffer  // {e.source_name}: {e.elements} values'
        for i, e in enumerate(outputs)
    ]
    return "\n".join(lines)


def cpp(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """With onnxruntime's C++ interface."""
    lines = ["#include <onnxruntime_cxx_api.h>", "", "Ort::Env env;", "Ort::SessionOptions options;"]
    lines += [f"options.SetIntraOpNumThreads({m['runtime_options'].get('threads', 1)});"]
    lines += [f'Ort::Session session(env, "{m["artifact"]["files"][0]}", options);']
    lines += ["auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);", "std::vector<Ort::Value> inputs;"]
    for i, e in enumerate(inputs):
        dims = ", ".join(map(str, e.shape))
        lines += [f"std::vector<float> x{i}({e.elements});  // {e.source_name}, {e.layout}", f"const int64_t shape{i}[] = {{{dims}}};"]
        lines += [f"inputs.push_back(Ort::Value::CreateTensor<float>(memory, x{i}.data(), x{i}.size(), shape{i}, {len(e.shape)}));"]
    lines += [f"const char* in[] = {{{', '.join(_quoted(e) for e in inputs)}}};"]
    lines += [f"const char* out[] = {{{', '.join(_quoted(e) for e in outputs)}}};"]
    lines += [f"auto outputs = session.Run(Ort::RunOptions{{}}, in, inputs.data(), {len(inputs)}, out, {len(outputs)});"]
    lines += [f"const float* y{i} = outputs[{i}].GetTensorData<float>();  // {e.elements} values" for i, e in enumerate(outputs)]
    return "\n".join(lines)


def _quoted(end: End) -> str:
    return f'"{end.name}"'
