package dev.mexport.demo.ui;

import android.content.Context;
import android.graphics.Canvas;
import android.util.AttributeSet;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Result;
import dev.mexport.demo.measure.Statistics;

/** Every sample in order; where there are more than columns, the shortest and longest of each column. The line is the median. */
public final class ChartView extends Drawn {
    private double[] ms = new double[0];
    private Statistics statistics;

    public ChartView(Context context, AttributeSet attributes) {
        super(context, attributes);
    }

    void show(Result result) {
        ms = result.ms();
        statistics = result.statistics();
        setContentDescription(getContext().getString(R.string.chart_description, ms.length, statistics.min(), statistics.median(), most()));
        invalidate();
    }

    private double most() {
        double most = 0;
        for (double v : ms) most = Math.max(most, v);
        return most;
    }

    @Override protected void onDraw(Canvas canvas) {
        super.onDraw(canvas);
        if (ms.length == 0) return;
        double most = most();
        float top = textLine(), bottom = getHeight(), height = bottom - top;
        int columns = Math.min(ms.length, Math.max(1, (int) (getWidth() / dp(2))));
        float step = (float) getWidth() / columns;
        for (int c = 0; c < columns; c++) {
            int from = (int) ((long) c * ms.length / columns), to = Math.max(from + 1, (int) ((long) (c + 1) * ms.length / columns));
            double longest = 0;
            for (int i = from; i < to; i++) longest = Math.max(longest, ms[i]);
            canvas.drawRect(c * step, bottom - (float) (height * longest / most), c * step + Math.max(1, step * 0.8f), bottom, fill);
        }
        float median = bottom - (float) (height * statistics.median() / most);
        canvas.drawLine(0, median, getWidth(), median, line);
        canvas.drawText(Words.milliseconds(getContext(), most), 0, ink.getTextSize(), ink);
    }
}
