package dev.mexport.demo;

import android.app.Activity;
import android.app.Instrumentation;
import android.content.Context;
import android.content.Intent;
import android.os.Bundle;
import dev.mexport.demo.engine.EngineException;
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
import dev.mexport.demo.ui.MainActivity;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.json.JSONException;

/**
 * The same work without a finger: `adb shell am instrument -w -e model all dev.mexport.demo/.Headless` blocks until it is over.
 *
 * <p>The report is written to the app's folder and told in pieces, `INSTRUMENTATION_STATUS: json=…`, which needs no permission to read.
 * What is asked for: model (names with commas, or all), what (measure, check, all), threads, runs, warmup, rounds, seconds, minutes,
 * cool_down.
 */
public final class Headless extends Instrumentation {
    private static final int PIECE = 60_000;
    Bundle arguments = new Bundle();

    @Override public void onCreate(Bundle arguments) {
        super.onCreate(arguments);
        if (arguments != null) this.arguments = arguments;
        start();
    }

    @Override public void onStart() {
        super.onStart();
        Bundle last = new Bundle();
        try {
            Activity screen = front();
            Context context = getTargetContext();
            Report report = run(context);
            Phone phone = new Phone(context);
            last.putString("file", report.write(context, phone).getPath());
            tell(report.json(context, phone).toString());
            screen.finish();
            finish(Activity.RESULT_OK, last);
        } catch (BundleException | IOException | JSONException | InterruptedException | RuntimeException e) {
            last.putString("error", EngineException.words(e).replace('\n', ' '));
            finish(Activity.RESULT_CANCELED, last);
        }
    }

    /** The app in front: only there does it get the phone's fast cores. */
    private Activity front() {
        Intent intent = new Intent(getTargetContext(), MainActivity.class).addFlags(Intent.FLAG_ACTIVITY_NEW_TASK);
        Activity screen = startActivitySync(intent);
        runOnMainSync(() -> screen.getWindow().addFlags(android.view.WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON
                | android.view.WindowManager.LayoutParams.FLAG_TURN_SCREEN_ON));
        return screen;
    }

    Report run(Context context) throws BundleException, InterruptedException {
        Catalogue catalogue = new Catalogue(context);
        List<Model> models = chosen(catalogue);
        String what = arguments.getString("what", "all");
        Settings settings = settings();
        List<Check.Outcome> checks = new ArrayList<>();
        List<Result> results = List.of();
        if (!what.equals("measure")) for (Model m : models) checks.add(new Check(context, catalogue).run(m));
        if (!what.equals("check")) results = new Measurement(context, catalogue).run(models, settings, new Cancel(), new Quiet());
        return new Report(settings, results, checks);
    }

    private List<Model> chosen(Catalogue catalogue) throws BundleException {
        String names = arguments.getString("model", "all");
        if (names.equals("all")) return catalogue.models();
        List<Model> models = new ArrayList<>();
        for (String name : names.split(",")) {
            Model model = catalogue.find(name);
            if (model == null) throw new BundleException("this app has no model " + name);
            models.add(model);
        }
        return models;
    }

    private Settings settings() {
        Settings d = Settings.DEFAULT;
        return new Settings((int) number("threads", d.threads()), (int) number("runs", d.runs()), (int) number("warmup", d.warmup()),
                (int) number("rounds", d.rounds()), number("seconds", d.seconds()), number("minutes", d.minutes()),
                number("cool_down", d.coolDown())).checked();
    }

    private double number(String key, double otherwise) {
        String text = arguments.getString(key);
        try {
            return text == null ? otherwise : Double.parseDouble(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(key + " must be a number, got " + text, e);
        }
    }

    private void tell(String json) {
        for (int at = 0; at < json.length(); at += PIECE) {
            Bundle piece = new Bundle();
            piece.putString("json", json.substring(at, Math.min(json.length(), at + PIECE)));
            sendStatus(Activity.RESULT_OK, piece);
        }
    }

    /** Nobody looks. */
    private static final class Quiet implements Measurement.Listener {
        @Override public void turn(String model, int done, int all) {}

        @Override public void result(Result result) {}
    }
}
