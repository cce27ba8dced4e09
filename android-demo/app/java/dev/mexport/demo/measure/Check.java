package dev.mexport.demo.measure;

import android.content.Context;
import dev.mexport.demo.engine.EngineException;
import dev.mexport.demo.model.BundleException;
import dev.mexport.demo.model.Catalogue;
import dev.mexport.demo.model.Model;
import dev.mexport.demo.model.Tensor;
import java.io.IOException;
import org.json.JSONException;
import org.json.JSONObject;

/** Is it still the same model here? The bundle's reference inputs run, the outputs held against the computer's, within its limits. */
public final class Check {
    /**
     * What came out.
     *
     * @param sha256 of the file that the engine was pointed to
     * @param rel largest difference, over the largest reference value; the worst output's
     * @param sqnrDb signal over noise in decibels; the worst output's
     * @param top1 share of samples with the same largest score; NaN where the output is no row of scores
     * @param error what went wrong, or null
     */
    public record Outcome(String model, String sha256, boolean passed, double rel, double sqnrDb, double top1, int samples, String error) {
        public JSONObject json() throws JSONException {
            return new JSONObject().put("name", model).put("artifact_sha256", sha256).put("passed", passed)
                    .put("rel", Math.min(rel, 1e38)).put("sqnr_db", Math.max(-999, Math.min(999, sqnrDb)))
                    .put("top1_agreement", Double.isNaN(top1) ? JSONObject.NULL : top1).put("samples", samples)
                    .put("error", error == null ? JSONObject.NULL : error);
        }

        public static Outcome parse(JSONObject o) throws JSONException {
            return new Outcome(o.getString("name"), o.getString("artifact_sha256"), o.getBoolean("passed"), o.getDouble("rel"),
                    o.getDouble("sqnr_db"), o.optDouble("top1_agreement"), o.getInt("samples"), o.isNull("error") ? null : o.getString("error"));
        }
    }

    private final Catalogue catalogue;
    private final Runners runners;

    public Check(Context context, Catalogue catalogue) {
        this.catalogue = catalogue;
        this.runners = new Runners(context);
    }

    /** Never fails: what goes wrong is in the outcome. */
    public Outcome run(Model model) throws InterruptedException {
        try {
            float[][][] inputs = new float[model.samples()][model.inputs().size()][];
            for (int i = 0; i < model.inputs().size(); i++) {
                float[][] rows = catalogue.samples(model, "in" + i + ".f32", model.inputs().get(i).size());
                for (int s = 0; s < inputs.length; s++) inputs[s][i] = rows[s];
            }
            float[][][] got = runners.of(model).infer(model, catalogue.unpack(model), inputs, model.threads());
            return compared(model, got);
        } catch (BundleException | EngineException | IOException | RuntimeException e) {
            return new Outcome(model.name(), model.sha256(), false, 1e38, -999, Double.NaN, 0, EngineException.words(e));
        }
    }

    private Outcome compared(Model model, float[][][] got) throws BundleException {
        double rel = 0, sqnr = Double.POSITIVE_INFINITY, top1 = Double.NaN;
        for (int o = 0; o < model.outputs().size(); o++) {
            Tensor t = model.outputs().get(o);
            float[][] want = catalogue.samples(model, "out" + o + ".f32", t.size());
            float[][] have = new float[got.length][];
            for (int s = 0; s < got.length; s++) have[s] = got[s][o];
            Difference d = Difference.of(want, have);
            rel = Math.max(rel, d.rel());
            sqnr = Math.min(sqnr, d.sqnrDb());
            if (t.sourceShape().length == 2) top1 = Double.isNaN(top1) ? d.top1() : Math.min(top1, d.top1());
        }
        Double most = model.limits().get("max_rel"), least = model.limits().get("min_sqnr_db");
        boolean passed = (most == null || rel <= most) && (least == null || sqnr >= least);
        return new Outcome(model.name(), model.sha256(), passed, rel, sqnr, top1, got.length, null);
    }
}
