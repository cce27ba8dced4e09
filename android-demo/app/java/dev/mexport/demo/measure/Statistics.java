package dev.mexport.demo.measure;

import java.util.Arrays;
import org.json.JSONException;
import org.json.JSONObject;

/** What stands for a series of times, in milliseconds; the same definitions as on the computer. */
public record Statistics(double min, double p10, double median, double p90, double mean, double mean2To20) {

    /** Of a series that is not empty. */
    public static Statistics of(double[] ms) {
        double[] sorted = ms.clone();
        Arrays.sort(sorted);
        int end = Math.min(20, ms.length);
        double few = end > 1 ? mean(Arrays.copyOfRange(ms, 1, end)) : Double.NaN;
        return new Statistics(sorted[0], quantile(sorted, 0.1), quantile(sorted, 0.5), quantile(sorted, 0.9), mean(ms), few);
    }

    public double fps() {
        return 1000 / median;
    }

    JSONObject json() throws JSONException {
        JSONObject o = new JSONObject().put("min", min).put("p10", p10).put("median", median).put("p90", p90).put("mean", mean)
                .put("fps", fps());
        return Double.isNaN(mean2To20) ? o : o.put("mean_2_20", mean2To20);
    }

    /** Linear between neighbours, as numpy has it. */
    static double quantile(double[] sorted, double share) {
        double at = share * (sorted.length - 1);
        int low = (int) at;
        int high = Math.min(low + 1, sorted.length - 1);
        return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
    }

    private static double mean(double[] values) {
        double sum = 0;
        for (double v : values) sum += v;
        return sum / values.length;
    }
}
