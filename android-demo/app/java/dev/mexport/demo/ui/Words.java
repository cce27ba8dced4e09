package dev.mexport.demo.ui;

import android.content.Context;
import android.text.format.Formatter;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Check;
import dev.mexport.demo.measure.Result;
import dev.mexport.demo.measure.Statistics;
import dev.mexport.demo.model.Model;
import java.util.ArrayList;
import java.util.List;

/** Facts in words. */
final class Words {
    private Words() {}

    static String engine(Context context, Model model) {
        return context.getString(switch (model.engine()) {
            case Model.TFLITE -> R.string.engine_tflite;
            case Model.ONNX -> R.string.engine_onnx;
            default -> R.string.engine_ncnn;
        });
    }

    /** Engine, precision and size of a model. */
    static String facts(Context context, Model model) {
        String size = Formatter.formatShortFileSize(context, model.bytes());
        return context.getString(R.string.model_facts, engine(context, model), model.precision(), size);
    }

    static String milliseconds(Context context, double ms) {
        return context.getString(ms < 1 ? R.string.ms_fine : ms < 100 ? R.string.ms : R.string.ms_coarse, ms);
    }

    /** The figure of a result, or why there is none. */
    static String headline(Context context, Result result) {
        if (result == null) return context.getString(R.string.not_measured);
        if (result.error() != null) return result.error();
        if (!result.timed()) return context.getString(R.string.reason_cancelled);
        Statistics s = result.statistics();
        String text = context.getString(R.string.headline, milliseconds(context, s.median()), s.fps());
        return result.valid() ? text : context.getString(R.string.invalid, text, reasons(context, result.reasons()));
    }

    /** What a headline is written in: figures that do not count are a warning. */
    static int colour(Context context, Result result) {
        return context.getColor(result == null || result.valid() ? R.color.figure : R.color.warning);
    }

    /** A check in words. */
    static String check(Context context, Check.Outcome outcome) {
        if (outcome == null) return context.getString(R.string.not_checked);
        if (outcome.error() != null) return context.getString(R.string.check_failed, outcome.error());
        String figures = Double.isNaN(outcome.top1())
                ? context.getString(R.string.check_figures, outcome.rel(), decibels(context, outcome.sqnrDb()))
                : context.getString(R.string.check_figures_top1, outcome.rel(), decibels(context, outcome.sqnrDb()), outcome.top1() * 100);
        return context.getString(outcome.passed() ? R.string.check_passed : R.string.check_failed, figures);
    }

    private static String decibels(Context context, double db) {
        return db >= 999 ? context.getString(R.string.decibels_equal) : context.getString(R.string.decibels, db);
    }

    static String reasons(Context context, List<String> reasons) {
        List<String> words = new ArrayList<>();
        for (String r : reasons) {
            words.add(context.getString(switch (r) {
                case "screen_off" -> R.string.reason_screen_off;
                case "background" -> R.string.reason_background;
                case "throttled" -> R.string.reason_throttled;
                case "cancelled" -> R.string.reason_cancelled;
                case "power_save" -> R.string.note_power_save;
                case "warm" -> R.string.note_warm;
                default -> R.string.note_slowed;
            }));
        }
        return String.join(", ", words);
    }
}
