package dev.mexport.demo.ui;

import android.content.Context;
import android.graphics.Canvas;
import android.util.AttributeSet;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Result;
import dev.mexport.demo.measure.Statistics;
import java.util.ArrayList;
import java.util.List;

/** Models side by side: a bar for each median, a line from the 10th to the 90th percentile. */
public final class CompareView extends Drawn {
    private List<Result> results = List.of();

    public CompareView(Context context, AttributeSet attributes) {
        super(context, attributes);
    }

    /** Those that have figures, quickest first. */
    void show(List<Result> all) {
        List<Result> found = new ArrayList<>();
        for (Result r : all) if (r.timed()) found.add(r);
        found.sort((a, b) -> Double.compare(a.statistics().median(), b.statistics().median()));
        results = found;
        StringBuilder words = new StringBuilder();
        for (Result r : found) words.append(label(r)).append(". ");
        setContentDescription(words);
        requestLayout();
        invalidate();
    }

    private String label(Result r) {
        String text = getContext().getString(R.string.bar, r.model(), Words.milliseconds(getContext(), r.statistics().median()));
        return r.valid() ? text : getContext().getString(R.string.invalid, text, Words.reasons(getContext(), r.reasons()));
    }

    private float block() {
        return textLine() + dp(28);
    }

    @Override protected void onMeasure(int width, int height) {
        setMeasuredDimension(getDefaultSize(getSuggestedMinimumWidth(), width), (int) (block() * Math.max(1, results.size())));
    }

    @Override protected void onDraw(Canvas canvas) {
        super.onDraw(canvas);
        double most = 0;
        for (Result r : results) most = Math.max(most, r.statistics().p90());
        for (int i = 0; i < results.size(); i++) {
            Statistics s = results.get(i).statistics();
            float top = i * block(), bar = top + textLine(), middle = bar + dp(8), scale = (float) (getWidth() * 0.98 / most);
            String label = label(results.get(i));
            ink.setTextScaleX(1);
            ink.setTextScaleX(Math.min(1, getWidth() / ink.measureText(label)));  // a long name is narrowed, never cut
            canvas.drawText(label, 0, top + ink.getTextSize(), ink);
            canvas.drawRect(0, bar, (float) s.median() * scale, bar + dp(16), fill);
            canvas.drawLine((float) s.p10() * scale, middle, (float) s.p90() * scale, middle, line);
        }
    }
}
