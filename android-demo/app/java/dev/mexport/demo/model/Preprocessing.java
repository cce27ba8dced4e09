package dev.mexport.demo.model;

import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** From a picture to an input: y = (x - mean) / std, x the pixel in 0..255. One number, or one a channel. */
public record Preprocessing(float[] mean, float[] std, String color, String resize, boolean assumed) {

    static Preprocessing parse(JSONObject o) throws JSONException {
        return new Preprocessing(floats(o.getJSONArray("mean")), floats(o.getJSONArray("std")), o.getString("color"),
                o.getString("resize"), o.getBoolean("assumed"));
    }

    /** Channels of a decoded picture. */
    public int channels() {
        return color.equals("gray") ? 1 : 3;
    }

    /** The number for one channel. */
    public static float of(float[] numbers, int channel) {
        return numbers[numbers.length == 1 ? 0 : channel];
    }

    private static float[] floats(JSONArray a) throws JSONException {
        float[] values = new float[a.length()];
        for (int i = 0; i < values.length; i++) values[i] = (float) a.getDouble(i);
        return values;
    }
}
