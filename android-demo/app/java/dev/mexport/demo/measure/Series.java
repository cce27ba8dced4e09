package dev.mexport.demo.measure;

import dev.mexport.demo.model.Model;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** One model's turns, put together. */
final class Series {
    static final String SCREEN = "screen_off", BACKGROUND = "background", THROTTLED = "throttled", CANCELLED = "cancelled";
    static final String POWER_SAVE = "power_save", WARM = "warm", SLOWED = "slowed";
    private static final double SLOWER = 1.15;
    final Model model;
    private final int threads;
    private final boolean sustained;
    private final Samples samples = new Samples();
    private final TreeSet<String> reasons = new TreeSet<>();
    private final TreeSet<String> notes = new TreeSet<>();
    private final List<Conditions> track = new ArrayList<>();
    private final Map<Integer, Integer> cores = new TreeMap<>();
    private Turn first;
    private long peak;
    private String error;

    Series(Model model, Settings settings) {
        this.model = model;
        this.threads = InAppRunner.threads(model, settings);
        this.sustained = settings.sustained();
    }

    boolean over() {
        return error != null;
    }

    void add(Turn turn, List<Conditions> seen) {
        first = first == null ? turn : first;
        peak = Math.max(peak, turn.peakBytes());
        samples.addAll(turn.ms());
        track.addAll(seen);
        turn.cores().forEach((core, n) -> cores.merge(core, n, Integer::sum));
        for (Conditions c : seen) judge(c);
    }

    /** A sustained run is there to see the phone throttle: what throttling is noted there spoils any other. */
    private void judge(Conditions c) {
        if (!c.screen()) reasons.add(SCREEN);
        if (!c.front()) reasons.add(BACKGROUND);
        if (c.thermal() >= Conditions.MODERATE) (sustained ? notes : reasons).add(THROTTLED);
        else if (c.thermal() > 0) notes.add(WARM);
    }

    void fail(String message) {
        error = message;
    }

    void cancelled() {
        reasons.add(CANCELLED);
    }

    Result result(boolean savesPower) {
        if (error != null || first == null) return Result.failed(model, threads, error == null ? "not run" : error);
        if (savesPower) notes.add(POWER_SAVE);
        double[] ms = samples.array();
        if (slowed(ms)) notes.add(SLOWED);
        return new Result(model.name(), model.sha256(), first.engine(), threads, first.delegated(), first.loadMs(), first.firstMs(), ms,
                peak, List.copyOf(reasons), List.copyOf(notes), List.copyOf(track), cores, null);
    }

    /** Whether the last fifth took clearly longer than the first one. */
    private static boolean slowed(double[] ms) {
        int part = ms.length / 5;
        if (part < 5) return false;
        double[] early = java.util.Arrays.copyOf(ms, part), late = java.util.Arrays.copyOfRange(ms, ms.length - part, ms.length);
        return Statistics.of(late).median() > SLOWER * Statistics.of(early).median();
    }
}
