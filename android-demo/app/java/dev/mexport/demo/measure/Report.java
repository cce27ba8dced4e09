package dev.mexport.demo.measure;

import android.content.Context;
import dev.mexport.demo.model.Model;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** What was measured and checked, as one JSON file that the app reads again at its next start and the computer pulls. */
public record Report(Settings settings, List<Result> results, List<Check.Outcome> checks) {
    public static final int SCHEMA = 1;

    public JSONObject json(Context context, Phone phone) throws JSONException {
        JSONArray list = new JSONArray(), checked = new JSONArray();
        for (Result r : results) list.put(r.json());
        for (Check.Outcome c : checks) checked.put(c.json());
        return new JSONObject().put("schema", SCHEMA).put("app", version(context)).put("kind", "measured").put("device", phone.facts())
                .put("settings", settings.json()).put("time", System.currentTimeMillis() / 1000).put("results", list).put("checks", checked);
    }

    /** Results of an earlier start; only of models that are still the same. */
    public static Report read(Context context, List<Model> models) {
        List<Result> results = new ArrayList<>();
        List<Check.Outcome> checks = new ArrayList<>();
        try {
            JSONObject o = new JSONObject(new String(Files.readAllBytes(file(context).toPath()), StandardCharsets.UTF_8));
            for (int i = 0; i < o.getJSONArray("results").length(); i++) {
                Result r = Result.parse(o.getJSONArray("results").getJSONObject(i));
                for (Model m : models) if (m.name().equals(r.model()) && m.sha256().equals(r.sha256())) results.add(r);
            }
            for (int i = 0; i < o.getJSONArray("checks").length(); i++) {
                Check.Outcome c = Check.Outcome.parse(o.getJSONArray("checks").getJSONObject(i));
                for (Model m : models) if (m.name().equals(c.model()) && m.sha256().equals(c.sha256())) checks.add(c);
            }
        } catch (IOException | JSONException | NumberFormatException e) {
            return new Report(Settings.DEFAULT, results, checks);  // none yet, or none that this version reads
        }
        return new Report(Settings.DEFAULT, results, checks);
    }

    /** Write it where the app and adb may read; the computer never pulls half a file. */
    public File write(Context context, Phone phone) throws IOException {
        File done = file(context), folder = done.getParentFile(), part = new File(folder, done.getName() + ".part");
        if (folder == null || (!folder.isDirectory() && !folder.mkdirs())) throw new IOException("cannot make " + folder);
        try {
            Files.write(part.toPath(), json(context, phone).toString().getBytes(StandardCharsets.UTF_8));
        } catch (JSONException e) {
            throw new IOException("results cannot be written: " + e.getMessage(), e);
        }
        if (!part.renameTo(done)) throw new IOException("cannot rename " + part);
        return done;
    }

    /** Where the latest report is. */
    public static File file(Context context) {
        File outside = context.getExternalFilesDir(null);  // none while the storage is not mounted
        return new File(outside == null ? context.getFilesDir() : outside, "results/latest.json");
    }

    private static String version(Context context) {
        try {
            return context.getPackageManager().getPackageInfo(context.getPackageName(), 0).versionName;
        } catch (android.content.pm.PackageManager.NameNotFoundException e) {
            return "";
        }
    }
}
