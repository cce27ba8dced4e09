package dev.mexport.demo.ui;

import android.content.Context;
import android.graphics.Canvas;
import android.text.StaticLayout;
import android.util.AttributeSet;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Result;
import dev.mexport.demo.measure.Statistics;
import java.util.ArrayList;
import java.util.List;

/** Models side by side: a bar for each median, a line from the 10th to the 90th percentile. */
public final class CompareView extends Drawn {
    /** One model's times; its label has as many lines as it needs. */
    private static final class Bar {
        final String label;
        final Statistics times;
        StaticLayout lines;

        Bar(String label, Statistics times) {
            this.label = label;
            this.times = times;
        }
    }

    private final List<Bar> bars = new ArrayList<>();

    public CompareView(Context context, AttributeSet attributes) {
        super(context, attributes);
    }

    /** Those that have figures, quickest first. */
    void show(List<Result> all) {
        bars.clear();
        for (Result r : all) if (r.timed()) bars.add(bar(r));
        bars.sort((a, b) -> Double.compare(a.times.median(), b.times.median()));
        StringBuilder words = new StringBuilder();
        for (Bar b : bars) words.append(b.label).append(". ");
        setContentDescription(words);
        requestLayout();
        invalidate();
    }

    private Bar bar(Result r) {
        Statistics s = r.statistics();
        String text = getContext().getString(R.string.bar, r.model(), Words.milliseconds(getContext(), s.median()));
        return new Bar(r.valid() ? text : getContext().getString(R.string.invalid, text, Words.reasons(getContext(), r.reasons())), s);
    }

    @Override protected void onMeasure(int width, int height) {
        int wide = getDefaultSize(getSuggestedMinimumWidth(), width);
        float high = 0;
        for (Bar b : bars) {
            b.lines = StaticLayout.Builder.obtain(b.label, 0, b.label.length(), ink, Math.max(1, wide)).build();
            high += b.lines.getHeight() + dp(32);
        }
        setMeasuredDimension(wide, (int) Math.ceil(Math.max(1, high)));
    }

    @Override protected void onDraw(Canvas canvas) {
        super.onDraw(canvas);
        double most = 0;
        for (Bar b : bars) most = Math.max(most, b.times.p90());
        float top = 0, scale = (float) (getWidth() * 0.98 / most);
        for (Bar b : bars) {
            if (b.lines == null) return;  // not measured yet
            canvas.save();
            canvas.translate(0, top);
            b.lines.draw(canvas);
            canvas.restore();
            float bar = top + b.lines.getHeight() + dp(4), middle = bar + dp(8);
            canvas.drawRect(0, bar, (float) b.times.median() * scale, bar + dp(16), fill);
            canvas.drawLine((float) b.times.p10() * scale, middle, (float) b.times.p90() * scale, middle, line);
            top = bar + dp(28);
        }
    }
}
