package dev.mexport.demo.measure;

import org.json.JSONException;
import org.json.JSONObject;

/**
 * How the phone was at one moment.
 *
 * @param second since the measurement began
 * @param screen whether it was on
 * @param front whether the app was the one in front
 * @param thermal Android's status, 0 none to 6 shutdown; -1 where it does not tell (before Android 10)
 * @param battery its temperature in °C; NaN where it is not known
 * @param megahertz of the fastest processor at that moment; 0 where it is not known
 */
public record Conditions(double second, boolean screen, boolean front, int thermal, double battery, int megahertz) {
    public static final int MODERATE = 2;

    JSONObject json() throws JSONException {
        return new JSONObject().put("second", Math.round(second * 10) / 10.0).put("screen", screen).put("front", front)
                .put("thermal", thermal).put("battery_c", Double.isNaN(battery) ? JSONObject.NULL : battery).put("mhz", megahertz);
    }

    static Conditions parse(JSONObject o) throws JSONException {
        return new Conditions(o.getDouble("second"), o.getBoolean("screen"), o.getBoolean("front"), o.getInt("thermal"),
                o.isNull("battery_c") ? Double.NaN : o.getDouble("battery_c"), o.getInt("mhz"));
    }
}
