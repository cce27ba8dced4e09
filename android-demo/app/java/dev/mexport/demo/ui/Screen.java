package dev.mexport.demo.ui;

import android.app.Activity;
import android.os.Bundle;
import android.view.MenuItem;
import android.view.View;
import android.view.WindowManager;
import android.widget.Button;
import android.widget.ProgressBar;
import android.widget.TextView;
import dev.mexport.demo.R;

/** What every screen does: shows what goes on, and shows itself anew when something changed. */
abstract class Screen extends Activity {
    static final String MODEL = "model";
    protected Session session;
    private final Runnable changed = this::changed;

    /** The screen's layout. */
    protected abstract int layout();

    /** Find the views; called once. */
    protected abstract void begin(Bundle saved);

    /** Show what is known now. */
    protected abstract void show();

    @Override protected final void onCreate(Bundle saved) {
        super.onCreate(saved);
        session = Session.of(this);
        setContentView(layout());
        if (getActionBar() != null) getActionBar().setDisplayHomeAsUpEnabled(!isTaskRoot());
        begin(saved);
        View cancel = findViewById(R.id.cancel);
        if (cancel != null) cancel.setOnClickListener(v -> cancel());
    }

    @Override protected void onStart() {
        super.onStart();
        session.listen(changed);
        changed();
    }

    @Override protected void onStop() {
        session.unlisten(changed);
        super.onStop();
    }

    @Override public boolean onOptionsItemSelected(MenuItem item) {
        if (item.getItemId() != android.R.id.home) return super.onOptionsItemSelected(item);
        finish();
        return true;
    }

    private void changed() {
        Session.Progress now = session.progress();
        awake(now != null, now != null && now.sustained());
        View panel = findViewById(R.id.working);
        if (panel != null) {
            panel.setVisibility(now == null ? View.GONE : View.VISIBLE);
            if (now != null) progress(now);
        }
        show();
    }

    /** What runs now is finished first, which may take seconds: the button tells that it was heard. */
    private void cancel() {
        session.cancel();
        changed();
    }

    private void progress(Session.Progress now) {
        enable(R.id.cancel, !session.cancelled());
        ProgressBar bar = findViewById(R.id.progress);
        bar.setMax(now.all());
        bar.setProgress(now.done());
        bar.setIndeterminate(now.all() <= 1);
        TextView text = findViewById(R.id.progress_text);
        text.setText(getString(R.string.working_on, now.model(), now.done() + 1, now.all()));
    }

    /** While something is measured, the screen stays on: a phone that sleeps measures nothing. */
    private void awake(boolean on, boolean sustained) {
        if (on) getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        else getWindow().clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        getWindow().setSustainedPerformanceMode(sustained);
    }

    protected boolean busy() {
        return session.progress() != null;
    }

    protected void onClick(int id, Runnable action) {
        findViewById(id).setOnClickListener(v -> action.run());
    }

    protected void enable(int id, boolean on) {
        ((Button) findViewById(id)).setEnabled(on);
    }

    protected void text(int id, CharSequence text) {
        TextView view = findViewById(id);
        view.setText(text);
        view.setVisibility(text.length() == 0 ? View.GONE : View.VISIBLE);
    }
}
