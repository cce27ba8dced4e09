package dev.mexport.demo.measure;

import dev.mexport.demo.engine.Engine;
import dev.mexport.demo.engine.EngineException;
import dev.mexport.demo.engine.OnnxEngine;
import dev.mexport.demo.engine.TfLiteEngine;
import dev.mexport.demo.model.Model;
import java.io.File;
import java.util.Map;
import java.util.TreeMap;

/** TensorFlow Lite and onnxruntime, inside the app's own process. */
final class InAppRunner implements Runner {
    private static final long LOOK_EVERY_NS = 20_000_000;
    private double lastMs;

    @Override public Turn time(Model model, File folder, float[][] inputs, Settings settings, Cancel cancel) throws EngineException {
        Proc.resetPeak();
        long start = System.nanoTime();
        try (Engine engine = open(model, folder, threads(model, settings))) {
            double loadMs = since(start);
            for (int i = 0; i < inputs.length; i++) engine.fill(i, inputs[i]);
            double firstMs = timed(engine);
            for (int i = 0; i < settings.warmup() && !cancel.asked(); i++) engine.invoke();
            Map<Integer, Integer> cores = new TreeMap<>();
            double[] ms = series(engine, settings, cancel, cores);
            return new Turn(engine.version(), engine.delegated(), loadMs, firstMs, ms, Proc.peakBytes(), cores);
        }
    }

    private static double[] series(Engine engine, Settings settings, Cancel cancel, Map<Integer, Integer> cores) throws EngineException {
        Samples samples = new Samples();
        long begin = System.nanoTime(), looked = 0, least = (long) (settings.turnSeconds() * 1e9);
        int runs = settings.turnRuns();
        while (!cancel.asked() && (samples.size() < runs || System.nanoTime() - begin < least)) {
            samples.add(timed(engine));
            if (System.nanoTime() - looked > LOOK_EVERY_NS) {
                looked = System.nanoTime();
                cores.merge(Proc.processor("thread-self"), 1, Integer::sum);
            }
        }
        cores.remove(-1);
        return samples.array();
    }

    @Override public float[][][] infer(Model model, File folder, float[][][] samples, int threads) throws EngineException {
        float[][][] outputs = new float[samples.length][model.outputs().size()][];
        try (Engine engine = open(model, folder, threads)) {
            for (int s = 0; s < samples.length; s++) {
                for (int i = 0; i < samples[s].length; i++) engine.fill(i, samples[s][i]);
                lastMs = timed(engine);
                for (int o = 0; o < outputs[s].length; o++) outputs[s][o] = engine.read(o);
            }
        }
        return outputs;
    }

    @Override public double lastMs() {
        return lastMs;
    }

    private static Engine open(Model model, File folder, int threads) throws EngineException {
        try {
            return switch (model.engine()) {
                case Model.TFLITE -> new TfLiteEngine(model, folder, threads);
                case Model.ONNX -> new OnnxEngine(model, folder, threads);
                default -> throw new EngineException("this app has no engine named " + model.engine());
            };
        } catch (LinkageError e) {
            throw new EngineException("this app has no " + model.engine() + " library for this phone's processor: " + e.getMessage(), e);
        }
    }

    private static double timed(Engine engine) throws EngineException {
        long start = System.nanoTime();
        engine.invoke();
        return since(start);
    }

    private static double since(long start) {
        return (System.nanoTime() - start) / 1e6;
    }

    static int threads(Model model, Settings settings) {
        return settings.threads() > 0 ? settings.threads() : model.threads();
    }
}
