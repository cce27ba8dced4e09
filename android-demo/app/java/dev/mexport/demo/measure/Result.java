package dev.mexport.demo.measure;

import dev.mexport.demo.model.Model;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/**
 * What is known about one model on this phone.
 *
 * @param model its bundle's name
 * @param sha256 of the file that the engine was pointed to
 * @param engine name and version; empty when it did not run
 * @param ms every timed inference, in order
 * @param reasons why the figures do not count: "screen_off", "background", "throttled", "cancelled"
 * @param notes what was seen and does not spoil them: "power_save", "warm", "slowed"
 * @param error what went wrong, or null
 */
public record Result(String model, String sha256, String engine, int threads, int delegated, double loadMs, double firstMs, double[] ms,
        long peakBytes, List<String> reasons, List<String> notes, List<Conditions> track, Map<Integer, Integer> cores, String error) {

    /** One that did not run. */
    static Result failed(Model model, int threads, String error) {
        return new Result(model.name(), model.sha256(), "", threads, -1, 0, 0, new double[0], 0, List.of(), List.of(), List.of(),
                Map.of(), error);
    }

    /** Whether the figures count. */
    public boolean valid() {
        return error == null && reasons.isEmpty() && ms.length > 0;
    }

    /** Whether there are figures at all. */
    public boolean timed() {
        return ms.length > 0;
    }

    public Statistics statistics() {
        return Statistics.of(ms);
    }

    public JSONObject json() throws JSONException {
        JSONObject statistics = timed() ? statistics().json().put("load", loadMs).put("first", firstMs) : new JSONObject();
        JSONArray samples = new JSONArray(), noted = new JSONArray();
        for (double v : ms) samples.put(Math.round(v * 1e4) / 1e4);
        for (Conditions c : track) noted.put(c.json());
        JSONObject seen = new JSONObject();
        for (Map.Entry<Integer, Integer> e : cores.entrySet()) seen.put("" + e.getKey(), e.getValue());
        return new JSONObject().put("name", model).put("artifact_sha256", sha256).put("engine", engine).put("threads", threads)
                .put("delegated", delegated).put("load_ms", loadMs).put("first_ms", firstMs).put("ms", samples)
                .put("peak_rss_bytes", peakBytes).put("statistics", statistics).put("valid", valid())
                .put("reasons", new JSONArray(reasons)).put("notes", new JSONArray(notes)).put("track", noted).put("cores", seen)
                .put("error", error == null ? JSONObject.NULL : error);
    }

    public static Result parse(JSONObject o) throws JSONException {
        JSONArray samples = o.getJSONArray("ms"), noted = o.getJSONArray("track");
        double[] ms = new double[samples.length()];
        for (int i = 0; i < ms.length; i++) ms[i] = samples.getDouble(i);
        List<Conditions> track = new ArrayList<>();
        for (int i = 0; i < noted.length(); i++) track.add(Conditions.parse(noted.getJSONObject(i)));
        Map<Integer, Integer> cores = new TreeMap<>();
        JSONObject seen = o.getJSONObject("cores");
        for (java.util.Iterator<String> k = seen.keys(); k.hasNext(); ) {
            String core = k.next();
            cores.put(Integer.parseInt(core), seen.getInt(core));
        }
        return new Result(o.getString("name"), o.getString("artifact_sha256"), o.getString("engine"), o.getInt("threads"),
                o.getInt("delegated"), o.getDouble("load_ms"), o.getDouble("first_ms"), ms, o.getLong("peak_rss_bytes"),
                strings(o.getJSONArray("reasons")), strings(o.getJSONArray("notes")), track, cores,
                o.isNull("error") ? null : o.getString("error"));
    }

    private static List<String> strings(JSONArray a) throws JSONException {
        List<String> found = new ArrayList<>();
        for (int i = 0; i < a.length(); i++) found.add(a.getString(i));
        return found;
    }
}
