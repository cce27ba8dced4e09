package dev.mexport.demo.engine;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.mexport.demo.model.Model;
import dev.mexport.demo.model.Tensor;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/** onnxruntime's own Java classes, which are the same on Android and on a Linux JVM. */
public final class OnnxEngine implements Engine {
    private final Model spec;
    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final OrtSession session;
    private final Map<String, OnnxTensor> feeds = new LinkedHashMap<>();
    private OrtSession.Result result;

    public OnnxEngine(Model spec, File folder, int threads) throws EngineException {
        this.spec = spec;
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(threads);
            options.setInterOpNumThreads(1);
            session = environment.createSession(new File(folder, spec.main()).getPath(), options);
        } catch (OrtException e) {
            throw failure(e);
        }
    }

    @Override public String version() {
        return "onnxruntime " + environment.getVersion();
    }

    @Override public int delegated() {
        return -1;
    }

    @Override public void fill(int input, float[] values) throws EngineException {
        Tensor t = spec.inputs().get(input);
        long[] shape = new long[t.shape().length];
        for (int i = 0; i < shape.length; i++) shape[i] = t.shape()[i];
        try {
            OnnxTensor fresh = OnnxTensor.createTensor(environment, t.pack(values), shape, type(t.dtype()));
            OnnxTensor old = feeds.put(t.name(), fresh);
            if (old != null) old.close();
        } catch (OrtException e) {
            throw failure(e);
        }
    }

    @Override public void invoke() throws EngineException {
        if (result != null) result.close();
        try {
            result = session.run(feeds);
        } catch (OrtException e) {
            result = null;
            throw failure(e);
        }
    }

    @Override public float[] read(int output) throws EngineException {
        Tensor t = spec.outputs().get(output);
        OnnxValue value = result == null ? null : result.get(t.name()).orElse(null);
        if (!(value instanceof OnnxTensor tensor)) throw new EngineException(spec.main() + " has no output " + t.name());
        ByteBuffer bytes = tensor.getByteBuffer();
        return t.unpack(bytes);
    }

    @Override public void close() {
        try {
            if (result != null) result.close();
            for (OnnxTensor t : feeds.values()) t.close();
            session.close();
        } catch (OrtException e) {
            throw new IllegalStateException(e);
        }
    }

    private EngineException failure(OrtException e) {
        return new EngineException("onnxruntime refuses " + spec.main() + ": " + e.getMessage(), e);
    }

    private static OnnxJavaType type(String dtype) {
        return switch (dtype) {
            case "int8" -> OnnxJavaType.INT8;
            case "uint8" -> OnnxJavaType.UINT8;
            case "int32" -> OnnxJavaType.INT32;
            case "int64" -> OnnxJavaType.INT64;
            default -> OnnxJavaType.FLOAT;
        };
    }
}
