package dev.mexport.demo.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** One bundle as `assets/models/index.json` describes it; the computer writes that file when it builds the app. */
public record Model(String name, String engine, String precision, int threads, Map<String, Boolean> options, long bytes, String main,
        List<ModelFile> files, List<Tensor> inputs, List<Tensor> outputs, String labels, Map<String, Double> limits, int samples) {
    public static final int SCHEMA = 1;
    public static final String TFLITE = "tflite", ONNX = "onnx", NCNN = "ncnn";

    /** All models of an index. */
    public static List<Model> parse(String json) throws BundleException {
        try {
            JSONObject index = new JSONObject(json);
            if (index.getInt("schema") != SCHEMA) {
                throw new BundleException("the index has schema " + index.getInt("schema") + ", this app reads " + SCHEMA);
            }
            List<Model> models = new ArrayList<>();
            for (JSONObject o : objects(index.getJSONArray("models"))) models.add(one(o));
            return models;
        } catch (JSONException e) {
            throw new BundleException("the index of the models is damaged: " + e.getMessage(), e);
        }
    }

    private static Model one(JSONObject o) throws JSONException {
        List<ModelFile> files = new ArrayList<>();
        for (JSONObject f : objects(o.getJSONArray("files"))) {
            files.add(new ModelFile(f.getString("path"), f.getLong("bytes"), f.getString("sha256")));
        }
        return new Model(o.getString("name"), o.getString("engine"), o.getString("precision"), o.getInt("threads"),
                options(o.getJSONObject("options")), o.getLong("bytes"), o.getString("main"), files, tensors(o, "inputs"),
                tensors(o, "outputs"), o.isNull("labels") ? null : o.getString("labels"), limits(o.getJSONObject("limits")),
                o.getInt("samples"));
    }

    /** The only input that takes pictures, or null. */
    public Tensor picture() {
        Tensor only = inputs.size() == 1 ? inputs.get(0) : null;
        return only != null && only.preprocessing() != null && only.sourceShape().length == 4 ? only : null;
    }

    /** The file of a bundle by its name, or null. */
    public ModelFile file(String path) {
        for (ModelFile f : files) if (f.path().equals(path)) return f;
        return null;
    }

    /** sha256 of the file that the engine is pointed to. */
    public String sha256() {
        ModelFile f = file(main);
        return f == null ? "" : f.sha256();
    }

    private static List<Tensor> tensors(JSONObject o, String name) throws JSONException {
        List<Tensor> found = new ArrayList<>();
        for (JSONObject t : objects(o.getJSONArray(name))) found.add(Tensor.parse(t));
        return found;
    }

    private static Map<String, Boolean> options(JSONObject o) throws JSONException {
        Map<String, Boolean> found = new TreeMap<>();
        for (String key : keys(o)) if (o.get(key) instanceof Boolean on) found.put(key, on);
        return found;
    }

    private static Map<String, Double> limits(JSONObject o) throws JSONException {
        Map<String, Double> found = new LinkedHashMap<>();
        for (String key : keys(o)) if (!o.isNull(key)) found.put(key, o.getDouble(key));
        return found;
    }

    private static List<String> keys(JSONObject o) {
        List<String> names = new ArrayList<>();
        o.keys().forEachRemaining(names::add);
        return names;
    }

    private static List<JSONObject> objects(JSONArray a) throws JSONException {
        List<JSONObject> found = new ArrayList<>();
        for (int i = 0; i < a.length(); i++) found.add(a.getJSONObject(i));
        return found;
    }
}
