package dev.mexport.demo.engine;

import static org.bytedeco.tensorflowlite.global.tensorflowlite.TfLiteTensorCopyFromBuffer;
import static org.bytedeco.tensorflowlite.global.tensorflowlite.TfLiteTensorCopyToBuffer;
import static org.bytedeco.tensorflowlite.global.tensorflowlite.TfLiteVersion;
import static org.bytedeco.tensorflowlite.global.tensorflowlite.kTfLiteOk;

import dev.mexport.demo.model.Model;
import dev.mexport.demo.model.Tensor;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.tensorflowlite.BuiltinOpResolver;
import org.bytedeco.tensorflowlite.BuiltinOpResolverWithXNNPACK;
import org.bytedeco.tensorflowlite.FlatBufferModel;
import org.bytedeco.tensorflowlite.FlatBufferModelBase;
import org.bytedeco.tensorflowlite.Interpreter;
import org.bytedeco.tensorflowlite.InterpreterBuilder;
import org.bytedeco.tensorflowlite.TfLiteTensor;

/**
 * TensorFlow Lite through JavaCPP: the same class runs on Android and on a Linux JVM.
 *
 * <p>Not through its C API, which leaves XNNPACK out in this build: 5 to 14 times slower, without a word.
 */
public final class TfLiteEngine implements Engine {
    private final Model spec;
    private final FlatBufferModel model;
    private final BuiltinOpResolver ops = new BuiltinOpResolverWithXNNPACK();
    private final Interpreter interpreter = new Interpreter((Pointer) null);  // filled by apply(); without the null it crashes
    private final List<TfLiteTensor> inputs;
    private final List<TfLiteTensor> outputs;

    public TfLiteEngine(Model spec, File folder, int threads) throws EngineException {
        this.spec = spec;
        model = FlatBufferModelBase.BuildFromFile(new File(folder, spec.main()).getPath());
        if (model == null || model.isNull()) throw new EngineException(spec.main() + " is no TFLite model");
        try (InterpreterBuilder builder = new InterpreterBuilder(model, ops)) {
            builder.SetNumThreads(threads);
            if (builder.apply(interpreter) != kTfLiteOk || interpreter.isNull() || interpreter.AllocateTensors() != kTfLiteOk) {
                throw new EngineException(spec.main() + " holds an operator that this TensorFlow Lite lacks");
            }
        }
        inputs = byName(interpreter.inputs(), spec.inputs());
        outputs = byName(interpreter.outputs(), spec.outputs());
    }

    @Override public String version() {
        return "tflite " + TfLiteVersion().getString();
    }

    /** What XNNPACK took is no longer planned by itself. */
    @Override public int delegated() {
        try (IntPointer plan = interpreter.execution_plan()) {
            return (int) (interpreter.nodes_size() - plan.limit());
        }
    }

    @Override public void fill(int input, float[] values) throws EngineException {
        TfLiteTensor tensor = inputs.get(input);
        ByteBuffer bytes = spec.inputs().get(input).pack(values);
        if (bytes.capacity() != tensor.bytes()) {
            throw new EngineException(spec.inputs().get(input).name() + " takes " + tensor.bytes() + " bytes, got " + bytes.capacity());
        }
        TfLiteTensorCopyFromBuffer(tensor, new BytePointer(bytes), bytes.capacity());
    }

    @Override public void invoke() throws EngineException {
        if (interpreter.Invoke() != kTfLiteOk) throw new EngineException("TensorFlow Lite failed in " + spec.main());
    }

    @Override public float[] read(int output) {
        TfLiteTensor tensor = outputs.get(output);
        ByteBuffer bytes = ByteBuffer.allocateDirect((int) tensor.bytes());
        TfLiteTensorCopyToBuffer(tensor, new BytePointer(bytes), bytes.capacity());
        return spec.outputs().get(output).unpack(bytes);
    }

    @Override public void close() {
        interpreter.close();
        model.close();
        ops.close();
    }

    private List<TfLiteTensor> byName(IntPointer indices, List<Tensor> wanted) throws EngineException {
        List<TfLiteTensor> found = new ArrayList<>();
        for (Tensor t : wanted) {
            TfLiteTensor match = null;
            for (int i = 0; i < indices.limit(); i++) {
                TfLiteTensor candidate = interpreter.tensor(indices.get(i));
                if (candidate.name().getString().equals(t.name())) match = candidate;
            }
            if (match == null) throw new EngineException(spec.main() + " has no tensor " + t.name());
            found.add(match);
        }
        return found;
    }
}
