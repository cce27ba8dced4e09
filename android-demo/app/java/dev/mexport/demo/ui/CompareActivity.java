package dev.mexport.demo.ui;

import android.os.Bundle;
import dev.mexport.demo.R;

/** All results side by side. */
public final class CompareActivity extends Screen {
    @Override protected int layout() {
        return R.layout.compare;
    }

    @Override protected void begin(Bundle saved) {
        onClick(R.id.share, () -> Share.picture(this));
    }

    @Override protected void show() {
        CompareView bars = findViewById(R.id.bars);
        bars.show(session.results());
        enable(R.id.share, !session.results().isEmpty());
    }
}
