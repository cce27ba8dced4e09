package dev.mexport.demo.ui;

import android.content.Intent;
import android.os.Bundle;
import android.view.View;
import android.widget.TableLayout;
import android.widget.TextView;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Conditions;
import dev.mexport.demo.measure.Result;
import dev.mexport.demo.measure.Statistics;
import dev.mexport.demo.model.Model;
import java.util.List;

/** One model: its figures, every sample, how warm the phone became, whether its outputs are right. */
public final class ModelActivity extends Screen {
    private Model model;
    private Result shown;

    @Override protected int layout() {
        return R.layout.model;
    }

    @Override protected void begin(Bundle saved) {
        model = session.model(getIntent().getStringExtra(MODEL));
        if (model == null) {
            finish();
            return;
        }
        setTitle(model.name());
        text(R.id.name, model.name());  // the bar above has one line, and cuts
        onClick(R.id.measure, () -> startActivity(new Intent(this, RunActivity.class).putExtra(MODEL, model.name())));
        onClick(R.id.check, () -> session.check(List.of(model)));
    }

    @Override protected void show() {
        if (model == null) return;
        Result result = session.result(model.name());
        boolean timed = result != null && result.timed();
        enable(R.id.measure, !busy());
        enable(R.id.check, !busy());
        text(R.id.facts, Words.facts(this, model));
        text(R.id.headline, Words.headline(this, result));
        ((TextView) findViewById(R.id.headline)).setTextColor(Words.colour(this, result));
        text(R.id.checked, Words.check(this, session.check(model.name())));
        text(R.id.notes, result == null ? "" : Words.reasons(this, result.notes()));
        findViewById(R.id.details).setVisibility(timed ? View.VISIBLE : View.GONE);
        if (timed && result != shown) details(result);  // in a table made anew, TalkBack loses its place
        shown = result;
    }

    private void details(Result result) {
        TableLayout table = findViewById(R.id.table);
        table.removeAllViews();
        Statistics s = result.statistics();
        row(table, R.string.stat_median, Words.milliseconds(this, s.median()));
        row(table, R.string.stat_p10, Words.milliseconds(this, s.p10()));
        row(table, R.string.stat_p90, Words.milliseconds(this, s.p90()));
        row(table, R.string.stat_mean, Words.milliseconds(this, s.mean()));
        row(table, R.string.stat_fps, getString(R.string.fps, s.fps()));
        row(table, R.string.stat_load, Words.milliseconds(this, result.loadMs()));
        row(table, R.string.stat_first, Words.milliseconds(this, result.firstMs()));
        row(table, R.string.stat_memory, getString(R.string.mib, result.peakBytes() / 1048576.0));
        row(table, R.string.stat_runs, String.valueOf(result.ms().length));
        row(table, R.string.stat_engine, result.engine());
        row(table, R.string.stat_threads, getString(R.string.threads_cpu, result.threads()));
        row(table, R.string.stat_cores, result.cores().isEmpty() ? getString(R.string.unknown) : result.cores().keySet().toString());
        if (result.delegated() >= 0) row(table, R.string.stat_delegated, String.valueOf(result.delegated()));
        ChartView chart = findViewById(R.id.chart);
        chart.show(result);
        TrackView track = findViewById(R.id.track);
        track.show(result.track());
        text(R.id.track_text, track(result.track()));
    }

    private String track(List<Conditions> track) {
        if (track.isEmpty()) return "";
        Conditions from = track.get(0), to = track.get(track.size() - 1);
        int worst = -1;
        for (Conditions c : track) worst = Math.max(worst, c.thermal());
        String thermal = worst < 0 ? getString(R.string.unknown) : getResources().getStringArray(R.array.thermal)[Math.min(worst, 6)];
        if (Double.isNaN(from.battery())) return getString(R.string.track_thermal, thermal);
        return getString(R.string.track, thermal, from.battery(), to.battery());
    }

    private void row(TableLayout table, int name, String value) {
        View row = getLayoutInflater().inflate(R.layout.row_figure, table, false);
        ((TextView) row.findViewById(R.id.name)).setText(name);
        ((TextView) row.findViewById(R.id.value)).setText(value);
        table.addView(row);
    }
}
