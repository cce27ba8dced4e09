package dev.mexport.demo.measure;

import org.json.JSONException;
import org.json.JSONObject;

/**
 * What to measure with.
 *
 * @param threads of the engines; 0 for each model's own
 * @param runs timed inferences of each model, at least
 * @param warmup untimed inferences before, in every round
 * @param rounds turns in which the models are measured one after the other, so that the phone's moods hit all alike
 * @param seconds each model is measured at least that long, all rounds together
 * @param minutes sustained: each model runs that long without a pause; 0 for none
 * @param coolDown seconds of rest before each turn
 */
public record Settings(int threads, int runs, int warmup, int rounds, double seconds, double minutes, double coolDown) {
    public static final Settings DEFAULT = new Settings(0, 50, 5, 5, 3, 0, 1);
    private static final int MOST_RUNS = 1_000_000, MOST_THREADS = 64;

    /** The same, with every number brought into its range: they come from a keyboard, or from another program. */
    public Settings checked() {
        return new Settings(within(threads, 0, MOST_THREADS), within(runs, 1, MOST_RUNS), within(warmup, 0, MOST_RUNS),
                within(rounds, 1, 100), Math.max(0, Math.min(600, seconds)), Math.max(0, Math.min(60, minutes)),
                Math.max(0, Math.min(120, coolDown)));
    }

    public boolean sustained() {
        return minutes > 0;
    }

    /** Turns that each model gets. */
    public int turns() {
        return sustained() ? 1 : rounds;
    }

    /** Least seconds of one turn. */
    public double turnSeconds() {
        return sustained() ? minutes * 60 : seconds / rounds;
    }

    /** Least runs of one turn. */
    public int turnRuns() {
        return (runs + turns() - 1) / turns();
    }

    public JSONObject json() throws JSONException {
        return new JSONObject().put("threads", threads).put("runs", runs).put("warmup_runs", warmup).put("rounds", turns())
                .put("seconds", seconds).put("minutes", minutes).put("cool_down_s", coolDown);
    }

    private static int within(int value, int low, int high) {
        return Math.max(low, Math.min(high, value));
    }
}
