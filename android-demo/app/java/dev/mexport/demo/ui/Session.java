package dev.mexport.demo.ui;

import android.content.Context;
import android.os.Handler;
import android.os.Looper;
import android.util.Log;
import dev.mexport.demo.measure.Cancel;
import dev.mexport.demo.measure.Check;
import dev.mexport.demo.measure.Measurement;
import dev.mexport.demo.measure.Phone;
import dev.mexport.demo.measure.Report;
import dev.mexport.demo.measure.Result;
import dev.mexport.demo.measure.Settings;
import dev.mexport.demo.model.BundleException;
import dev.mexport.demo.model.Catalogue;
import dev.mexport.demo.model.Model;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** What all screens share: models, results and the one piece of work that may go on; it outlives every screen. */
public final class Session {
    private static final String TAG = "mexport";
    private static Session only;

    /** What goes on, for the progress bar. */
    public record Progress(String model, int done, int all, boolean sustained) {}

    private final Context context;
    private final Handler main = new Handler(Looper.getMainLooper());
    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
    private final Map<String, Result> results = new LinkedHashMap<>();
    private final Map<String, Check.Outcome> checks = new LinkedHashMap<>();
    private final ExecutorService worker = Executors.newSingleThreadExecutor();
    private Catalogue catalogue;
    private String problem;
    private volatile Progress progress;
    private volatile Cancel cancel = new Cancel();

    private Session(Context context) {
        this.context = context.getApplicationContext();
        try {
            catalogue = new Catalogue(this.context);
            Report earlier = Report.read(this.context, catalogue.models());
            for (Result r : earlier.results()) results.put(r.model(), r);
            for (Check.Outcome c : earlier.checks()) checks.put(c.model(), c);
        } catch (BundleException e) {
            problem = e.getMessage();
        }
    }

    /** The one of this process. */
    public static synchronized Session of(Context context) {
        if (only == null) only = new Session(context);
        return only;
    }

    /** For tests, which start many apps in one process. */
    static synchronized void forget() {
        if (only != null) only.worker.shutdownNow();
        only = null;
    }

    /** Why there are no models, or null. */
    public String problem() {
        return problem;
    }

    public List<Model> models() {
        return catalogue == null ? List.of() : catalogue.models();
    }

    public Catalogue catalogue() {
        return catalogue;
    }

    public Model model(String name) {
        return catalogue == null || name == null ? null : catalogue.find(name);
    }

    public synchronized Result result(String model) {
        return results.get(model);
    }

    public synchronized List<Result> results() {
        return List.copyOf(results.values());
    }

    public synchronized Check.Outcome check(String model) {
        return checks.get(model);
    }

    /** What goes on, or null. */
    public Progress progress() {
        return progress;
    }

    public void listen(Runnable listener) {
        listeners.add(listener);
    }

    public void unlisten(Runnable listener) {
        listeners.remove(listener);
    }

    public void cancel() {
        cancel.ask();
    }

    /** Whether what goes on was asked to end. */
    public boolean cancelled() {
        return cancel.asked();
    }

    /** Do this when nothing else goes on: it would spoil a measurement, and ncnn's files are there only once. */
    public void after(Runnable task) {
        worker.execute(task);
    }

    /** Time these models; nothing happens while other work goes on. */
    public void measure(List<Model> models, Settings settings) {
        start(models, settings.sustained(), () -> {
            new Measurement(context, catalogue).run(models, settings, cancel, new Measurement.Listener() {
                @Override public void turn(String model, int done, int all) {
                    tell(new Progress(model, done, all, settings.sustained()));
                }

                @Override public void result(Result result) {
                    keep(result);
                }
            });
            save(settings);
        });
    }

    /** Run the reference inputs of these models. */
    public void check(List<Model> models) {
        start(models, false, () -> {
            Check check = new Check(context, catalogue);
            for (int i = 0; i < models.size() && !cancel.asked(); i++) {
                tell(new Progress(models.get(i).name(), i, models.size(), false));
                keep(check.run(models.get(i)));
            }
            save(Settings.DEFAULT);
        });
    }

    /** Work that may be interrupted. */
    private interface Work {
        void run() throws InterruptedException;
    }

    private void start(List<Model> models, boolean sustained, Work work) {
        if (progress != null || models.isEmpty()) return;
        cancel = new Cancel();
        tell(new Progress(models.get(0).name(), 0, models.size(), sustained));
        worker.execute(() -> {
            try {
                work.run();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                tell(null);
            }
        });
    }

    private void save(Settings settings) {
        try {
            new Report(settings, results(), outcomes()).write(context, new Phone(context));
        } catch (IOException | OutOfMemoryError e) {  // millions of samples, after an hour of a small model
            Log.e(TAG, "results not written", e);
        }
    }

    private synchronized List<Check.Outcome> outcomes() {
        return new ArrayList<>(checks.values());
    }

    /** A run that was cancelled takes no place of figures that count. */
    private synchronized void keep(Result result) {
        Result earlier = results.get(result.model());
        if (earlier == null || !earlier.valid() || !cancel.asked()) results.put(result.model(), result);
        if (result.error() != null) Log.w(TAG, result.model() + ": " + result.error());
    }

    private synchronized void keep(Check.Outcome outcome) {
        checks.put(outcome.model(), outcome);
    }

    private void tell(Progress now) {
        progress = now;
        main.post(() -> {
            for (Runnable listener : listeners) listener.run();
        });
    }
}
