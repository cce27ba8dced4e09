package dev.mexport.demo.ui;

import android.os.Bundle;
import android.widget.CheckBox;
import android.widget.EditText;
import android.widget.LinearLayout;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Settings;
import dev.mexport.demo.model.Model;
import java.util.ArrayList;
import java.util.List;

/** Which models, how many threads and runs, how long; then the measuring itself, with its progress. */
public final class RunActivity extends Screen {
    private static final String CHOSEN = "chosen", STARTED = "started";
    private final List<CheckBox> boxes = new ArrayList<>();
    private boolean started;

    @Override protected int layout() {
        return R.layout.run;
    }

    @Override protected void begin(Bundle saved) {
        LinearLayout list = findViewById(R.id.choice);
        String one = getIntent().getStringExtra(MODEL);
        boolean[] chosen = saved == null ? null : saved.getBooleanArray(CHOSEN);
        for (Model model : session.models()) {
            CheckBox box = (CheckBox) getLayoutInflater().inflate(R.layout.row_choice, list, false);
            box.setText(getString(R.string.choice, model.name(), Words.engine(this, model)));
            int index = boxes.size();
            box.setChecked(chosen != null && index < chosen.length ? chosen[index] : one == null || one.equals(model.name()));
            box.setOnCheckedChangeListener((changed, on) -> show());
            boxes.add(box);
            list.addView(box);
        }
        if (saved == null) defaults();
        else started = saved.getBoolean(STARTED);
        onClick(R.id.start, this::start);
    }

    private void defaults() {
        Settings d = Settings.DEFAULT;
        number(R.id.threads, d.threads());
        number(R.id.runs, d.runs());
        number(R.id.warmup, d.warmup());
        number(R.id.minutes, (int) d.minutes());
    }

    @Override protected void onSaveInstanceState(Bundle state) {
        super.onSaveInstanceState(state);
        boolean[] chosen = new boolean[boxes.size()];
        for (int i = 0; i < chosen.length; i++) chosen[i] = boxes.get(i).isChecked();
        state.putBooleanArray(CHOSEN, chosen);
        state.putBoolean(STARTED, started);
    }

    @Override protected void show() {
        boolean any = false;
        for (CheckBox box : boxes) any |= box.isChecked();
        enable(R.id.start, any && !busy());
        if (started && !busy()) finish();  // back to the list, which has the results
    }

    private void start() {
        List<Model> models = new ArrayList<>();
        for (int i = 0; i < boxes.size(); i++) if (boxes.get(i).isChecked()) models.add(session.models().get(i));
        Settings d = Settings.DEFAULT;
        Settings settings = new Settings(number(R.id.threads), number(R.id.runs), number(R.id.warmup), d.rounds(), d.seconds(),
                number(R.id.minutes), d.coolDown()).checked();
        started = !models.isEmpty();
        session.measure(models, settings);
    }

    private void number(int id, int value) {
        ((EditText) findViewById(id)).setText(String.valueOf(value));
    }

    private int number(int id) {
        String text = ((EditText) findViewById(id)).getText().toString();
        try {
            return text.isEmpty() ? 0 : Integer.parseInt(text);
        } catch (NumberFormatException e) {
            return Integer.MAX_VALUE;  // longer than a number can be; checked() brings it into its range
        }
    }
}
