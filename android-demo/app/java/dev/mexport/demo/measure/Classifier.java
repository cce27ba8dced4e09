package dev.mexport.demo.measure;

import android.content.Context;
import android.graphics.Bitmap;
import dev.mexport.demo.engine.EngineException;
import dev.mexport.demo.model.BundleException;
import dev.mexport.demo.model.Catalogue;
import dev.mexport.demo.model.Model;
import dev.mexport.demo.model.Tensor;
import dev.mexport.demo.picture.Pixels;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A picture in, its classes out. */
public final class Classifier {
    /** One class and its score. */
    public record Guess(int index, String label, float score) {}

    /** The best guesses, and how long the engine and the preparation took. */
    public record Answer(String model, List<Guess> guesses, double ms, double preparationMs) {}

    private static final int TOP = 5;
    private final Catalogue catalogue;
    private final Runners runners;

    public Classifier(Context context, Catalogue catalogue) {
        this.catalogue = catalogue;
        this.runners = new Runners(context);
    }

    /** Models that take one picture and give one row of scores. */
    public static boolean takesPictures(Model model) {
        return model.picture() != null && model.outputs().size() == 1;
    }

    public Answer classify(Model model, Bitmap picture) throws BundleException, EngineException, IOException, InterruptedException {
        Tensor input = model.picture();
        long start = System.nanoTime();
        float[] values = input.fromSource(Pixels.of(picture).input(input));
        double preparation = (System.nanoTime() - start) / 1e6;
        Runner runner = runners.of(model);
        float[] scores = runner.infer(model, catalogue.unpack(model), new float[][][] {{values}}, model.threads())[0][0];
        return new Answer(model.name(), best(scores, catalogue.labels(model)), runner.lastMs(), preparation);
    }

    static List<Guess> best(float[] scores, List<String> labels) {
        List<Guess> all = new ArrayList<>();
        for (int i = 0; i < scores.length; i++) all.add(new Guess(i, i < labels.size() ? labels.get(i) : "#" + i, scores[i]));
        all.sort((a, b) -> Float.compare(b.score(), a.score()));
        return List.copyOf(all.subList(0, Math.min(TOP, all.size())));
    }
}
