package dev.mexport.demo.measure;

import android.content.Context;
import dev.mexport.demo.engine.EngineException;
import dev.mexport.demo.model.BundleException;
import dev.mexport.demo.model.Catalogue;
import dev.mexport.demo.model.Model;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Times models on this phone: in turns, with rests, each turn with the phone watched. */
public final class Measurement {
    private static final double LONGEST_REST_S = 60;

    /** Told how it goes, on the thread that measures. */
    public interface Listener {
        /** A model's turn begins. */
        void turn(String model, int done, int all);

        /** A model has its result. */
        void result(Result result);
    }

    private final Catalogue catalogue;
    private final Phone phone;
    private final Runners runners;

    public Measurement(Context context, Catalogue catalogue) {
        this.catalogue = catalogue;
        this.phone = new Phone(context);
        this.runners = new Runners(context);
    }

    /** Measure; one model that fails does not end it for the others. */
    public List<Result> run(List<Model> models, Settings asked, Cancel cancel, Listener listener) throws InterruptedException {
        Settings settings = asked.checked();
        List<Series> all = new ArrayList<>();
        for (Model m : models) all.add(new Series(m, settings));
        int turns = settings.turns() * all.size(), done = 0;
        try (Watch watch = new Watch(phone)) {
            for (int round = 0; round < settings.turns(); round++) {
                for (int i = 0; i < all.size(); i++) {
                    Series series = all.get((i + round) % all.size());  // nobody is always the first
                    listener.turn(series.model.name(), done++, turns);
                    if (!series.over() && !cancel.asked()) turn(series, settings, cancel, watch);
                }
            }
        }
        List<Result> results = new ArrayList<>();
        for (Series s : all) {
            if (cancel.asked()) s.cancelled();
            Result r = s.result(phone.savesPower());
            results.add(r);
            listener.result(r);
        }
        return results;
    }

    private void turn(Series series, Settings settings, Cancel cancel, Watch watch) throws InterruptedException {
        rest(settings, cancel, watch);
        if (cancel.asked()) return;
        double begin = watch.second();
        try {
            File folder = catalogue.unpack(series.model);
            float[][] inputs = catalogue.inputs(series.model, 0);
            watch.note();
            Turn turn = runners.of(series.model).time(series.model, folder, inputs, settings, cancel);
            watch.note();
            series.add(turn, watch.between(begin, watch.second()));
        } catch (BundleException | EngineException | IOException | RuntimeException e) {
            if (!cancel.asked()) series.fail(EngineException.words(e));
        }
    }

    /** Rest, and longer while the phone says that it is hot. */
    private void rest(Settings settings, Cancel cancel, Watch watch) throws InterruptedException {
        double end = watch.second() + LONGEST_REST_S;
        cancel.sleep(settings.coolDown());
        while (settings.coolDown() > 0 && watch.second() < end && phone.conditions(0).thermal() >= Conditions.MODERATE && !cancel.asked()) {
            cancel.sleep(1);
        }
    }
}
