"""Loading a TFLite model with LiteRT."""

from collections.abc import Mapping
from typing import Any

from exporter.report.buffers import cpp_reals, cpp_stored, kotlin_fill, kotlin_reals, python_reals
from exporter.report.ports import End

Facts = Mapping[str, Any]

NOTES = """Notes for TFLite: the file also carries the normalization as metadata. Tensors keep the source's names; look them up by name, as
above, since their order is the file's."""


def python(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """With the `ai-edge-litert` package."""
    threads = m["runtime_options"].get("threads", 1)
    lines = ["from ai_edge_litert.interpreter import Interpreter", ""]
    lines += [f'interpreter = Interpreter("{m["artifact"]["files"][0]}", num_threads={threads})', "interpreter.allocate_tensors()"]
    lines += ['index = {t["name"]: t["index"] for t in interpreter.get_input_details() + interpreter.get_output_details()}']
    lines += [f'interpreter.set_tensor(index["{e.name}"], x{i})' for i, e in enumerate(inputs)]
    lines += ["interpreter.invoke()"]
    for i, e in enumerate(outputs):
        lines += [f'y{i} = interpreter.get_tensor(index["{e.name}"])  # {e.source_name}: {e.shape}', *python_reals(e, i)]
    return "\n".join(lines)


def kotlin(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """With `com.google.ai.edge.litert:litert`, whose classes are in org.tensorflow.lite."""
    threads = m["runtime_options"].get("threads", 1)
    lines = ["import org.tensorflow.lite.Interpreter", "import java.nio.ByteBuffer", "import java.nio.ByteOrder", ""]
    lines += [f'val file = assets.openFd("{m["artifact"]["files"][0]}").use {{ it.createInputStream().channel.map(']
    lines += ["    java.nio.channels.FileChannel.MapMode.READ_ONLY, it.startOffset, it.declaredLength) }"]
    lines += [f"val interpreter = Interpreter(file, Interpreter.Options().setNumThreads({threads}))", ""]
    for i, e in enumerate(inputs):
        lines += kotlin_fill(e, i)
    for i, e in enumerate(outputs):
        lines += [f"val y{i} = ByteBuffer.allocateDirect({e.elements * e.width}).order(ByteOrder.nativeOrder())  // {e.source_name}"]
    lines += [f'val in{i} = interpreter.getInputIndex("{e.name}")' for i, e in enumerate(inputs) if len(inputs) > 1]
    feeds = f"arrayOfNulls<Any>({len(inputs)}).also {{ {'; '.join(f'it[in{i}] = x{i}' for i in range(len(inputs)))} }}"
    fetches = ", ".join(f'interpreter.getOutputIndex("{e.name}") to y{i}' for i, e in enumerate(outputs))
    lines += [f"interpreter.runForMultipleInputsOutputs({'arrayOf(x0)' if len(inputs) == 1 else feeds}, mapOf({fetches}))"]
    for i, e in enumerate(outputs):
        lines += kotlin_reals(e, i, f"y{i}")
    return "\n".join(lines)


def cpp(m: Facts, inputs: list[End], outputs: list[End]) -> str:
    """With LiteRT's C++ interpreter."""
    threads = m["runtime_options"].get("threads", 1)
    lines = ['#include "tflite/interpreter_builder.h"', '#include "tflite/kernels/register.h"', '#include "tflite/model_builder.h"', ""]
    lines += [f'auto model = tflite::FlatBufferModel::BuildFromFile("{m["artifact"]["files"][0]}");']
    lines += ["tflite::ops::builtin::BuiltinOpResolver resolver;", "std::unique_ptr<tflite::Interpreter> interpreter;"]
    lines += [f"tflite::InterpreterBuilder(*model, resolver)(&interpreter, {threads});", "interpreter->AllocateTensors();", ""]
    for i, e in enumerate(inputs):
        lines += [f'// input {i} of the file unless interpreter->GetInputName says otherwise: "{e.name}", {e.elements} values, {e.layout}']
        lines += [f"{e.ctype}* x{i} = interpreter->typed_input_tensor<{e.ctype}>({i});", *cpp_stored(e, i)]
    lines += ["interpreter->Invoke();"]
    for i, e in enumerate(outputs):
        lines += [f'const {e.ctype}* y{i} = interpreter->typed_output_tensor<{e.ctype}>({i});  // "{e.name}", {e.elements} values']
        lines += cpp_reals(e, i)
    return "\n".join(lines)
