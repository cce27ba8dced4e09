package dev.mexport.demo.measure;

import dev.mexport.demo.engine.EngineException;
import dev.mexport.demo.model.Model;
import dev.mexport.demo.model.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/**
 * ncnn in a process of its own: libncnn_runner.so is a static program, so a model that kills it kills nothing else.
 *
 * <p>Its words and its answer are those of native/ncnn-runner/README.md.
 */
final class NcnnRunner implements Runner {
    private static final int REFUSED_CALL = 128 + 31, KILLED = 128 + 9;
    private static final double PATIENCE_S = 120, INFERENCE_S = 10;
    private static final Pattern PID = Pattern.compile("pid=(\\d+)");
    private final File program;
    private final File scratch;
    private double lastMs;

    NcnnRunner(File libraries, File scratch) {
        this.program = new File(libraries, "libncnn_runner.so");
        this.scratch = scratch;
    }

    @Override public Turn time(Model model, File folder, float[][] inputs, Settings settings, Cancel cancel)
            throws EngineException, IOException, InterruptedException {
        List<String> words = words(model, folder, inputs, InAppRunner.threads(model, settings));
        words.addAll(List.of("--warmup", "" + settings.warmup(), "--runs", "" + settings.turnRuns(), "--seconds", "" + settings.turnSeconds()));
        Map<Integer, Integer> cores = new TreeMap<>();
        try {
            double limit = settings.turnSeconds() + PATIENCE_S + INFERENCE_S * (settings.warmup() + settings.turnRuns());
            JSONObject answer = run(model, words, limit, cancel, cores);
            JSONArray samples = answer.getJSONArray("samples_ms");
            double[] ms = new double[samples.length()];
            for (int i = 0; i < ms.length; i++) ms[i] = samples.getDouble(i);
            return new Turn("ncnn " + answer.getString("version"), -1, answer.getDouble("load_ms"), answer.getDouble("first_ms"), ms,
                    answer.getLong("peak_rss_bytes"), cores);
        } catch (JSONException e) {
            throw new EngineException("ncnn gave an answer that cannot be read: " + e.getMessage(), e);
        }
    }

    @Override public float[][][] infer(Model model, File folder, float[][][] samples, int threads)
            throws EngineException, IOException, InterruptedException {
        float[][][] outputs = new float[samples.length][model.outputs().size()][];
        for (int s = 0; s < samples.length; s++) {
            List<String> words = words(model, folder, samples[s], threads);
            words.addAll(List.of("--warmup", "0", "--runs", "1"));
            for (int o = 0; o < outputs[s].length; o++) {
                words.addAll(List.of("--out", model.outputs().get(o).name() + "=" + file("out", o)));
            }
            try {
                lastMs = run(model, words, PATIENCE_S, new Cancel(), new TreeMap<>()).getJSONArray("samples_ms").getDouble(0);
            } catch (JSONException e) {
                throw new EngineException("ncnn gave an answer that cannot be read: " + e.getMessage(), e);
            }
            for (int o = 0; o < outputs[s].length; o++) outputs[s][o] = floats(file("out", o));
        }
        return outputs;
    }

    @Override public double lastMs() {
        return lastMs;
    }

    private List<String> words(Model model, File folder, float[][] inputs, int threads) throws IOException {
        String param = new File(folder, model.main()).getPath();
        List<String> words = new ArrayList<>(List.of(program.getPath(), "--param", param, "--bin",
                param.replaceAll("\\.param$", ".bin"), "--threads", "" + threads));
        for (int i = 0; i < inputs.length; i++) {
            Tensor t = model.inputs().get(i);
            ByteBuffer raw = ByteBuffer.allocate(inputs[i].length * 4).order(ByteOrder.LITTLE_ENDIAN);
            for (float v : inputs[i]) raw.putFloat(v);
            Files.write(file("in", i).toPath(), raw.array());
            words.addAll(List.of("--input", t.name() + "=" + Arrays.toString(t.shape()).replaceAll("[\\[\\] ]", ""),
                    "--data", t.name() + "=" + file("in", i)));
        }
        model.options().forEach((name, on) -> words.addAll(List.of("--option", name + "=" + on)));
        return words;
    }

    private JSONObject run(Model model, List<String> words, double limit, Cancel cancel, Map<Integer, Integer> cores)
            throws EngineException, IOException, InterruptedException, JSONException {
        if (!program.canExecute()) throw new EngineException("this app has no ncnn program for this phone's processor");
        File out = new File(scratch, "ncnn-out.json"), err = new File(scratch, "ncnn-errors.txt");
        Process process = new ProcessBuilder(words).redirectOutput(out).redirectError(err).start();
        Matcher pid = PID.matcher(process.toString());
        String id = pid.find() ? pid.group(1) : "";
        long end = System.nanoTime() + (long) (limit * 1e9);
        while (process.isAlive()) {
            if (cancel.asked() || System.nanoTime() > end) {
                process.destroyForcibly().waitFor();
                throw new EngineException(cancel.asked() ? "cancelled" : "ncnn gave no answer within " + Math.round(limit) + " s");
            }
            if (!id.isEmpty()) cores.merge(Proc.processor(id), 1, Integer::sum);
            Thread.sleep(20);
        }
        cores.remove(-1);
        if (process.exitValue() != 0) throw failure(model, process.exitValue(), text(err));
        return new JSONObject(text(out));
    }

    private static EngineException failure(Model model, int code, String said) {
        String last = said.isEmpty() ? "it said nothing" : said.substring(said.lastIndexOf('\n') + 1);
        return new EngineException(switch (code) {
            case REFUSED_CALL -> "Android refused a system call of ncnn's (signal 31): please report this phone";
            case KILLED -> "Android killed ncnn (signal 9): out of memory, or the app went to the background";
            default -> "ncnn ended with code " + code + " in " + model.main() + ": " + last;
        });
    }

    private File file(String kind, int index) {
        return new File(scratch, "ncnn-" + kind + index + ".f32");
    }

    private static float[] floats(File file) throws IOException {
        ByteBuffer all = ByteBuffer.wrap(Files.readAllBytes(file.toPath())).order(ByteOrder.LITTLE_ENDIAN);
        float[] values = new float[all.remaining() / 4];
        for (int i = 0; i < values.length; i++) values[i] = all.getFloat();
        return values;
    }

    private static String text(File file) throws IOException {
        try (InputStream in = new FileInputStream(file)) {
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            byte[] part = new byte[1 << 16];
            for (int n; (n = in.read(part)) > 0; ) all.write(part, 0, n);
            return new String(all.toByteArray(), StandardCharsets.UTF_8).trim();
        }
    }
}
