package dev.mexport.demo.ui;

import android.content.Context;
import android.graphics.Canvas;
import android.util.AttributeSet;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Conditions;
import java.util.List;

/** Battery temperature over the run as a line; where the phone throttled, the ground is marked. */
public final class TrackView extends Drawn {
    private List<Conditions> track = List.of();

    public TrackView(Context context, AttributeSet attributes) {
        super(context, attributes);
    }

    void show(List<Conditions> track) {
        this.track = track;
        int throttled = 0, known = 0;
        for (Conditions c : track) {
            if (c.thermal() >= Conditions.MODERATE) throttled++;
            if (!Double.isNaN(c.battery())) known++;
        }
        setVisibility(known < track.size() || known < 2 ? GONE : VISIBLE);
        setContentDescription(getContext().getString(R.string.track_description, track.size(), throttled));
        invalidate();
    }

    @Override protected void onDraw(Canvas canvas) {
        super.onDraw(canvas);
        if (track.size() < 2) return;
        double low = Double.MAX_VALUE, high = -Double.MAX_VALUE, end = track.get(track.size() - 1).second();
        for (Conditions c : track) {
            low = Math.min(low, c.battery() - 1);
            high = Math.max(high, c.battery() + 1);
        }
        float top = textLine(), height = getHeight() - top;
        float oldX = 0, oldY = y(track.get(0), low, high, top, height);
        for (Conditions c : track) {
            float x = (float) (getWidth() * c.second() / Math.max(1e-9, end)), y = y(c, low, high, top, height);
            if (c.thermal() >= Conditions.MODERATE) canvas.drawRect(oldX, top, Math.max(x, oldX + 1), getHeight(), line);
            fill.setStrokeWidth(dp(3));
            canvas.drawLine(oldX, oldY, x, y, fill);
            oldX = x;
            oldY = y;
        }
        canvas.drawText(getContext().getString(R.string.celsius, high), 0, ink.getTextSize(), ink);
    }

    private static float y(Conditions c, double low, double high, float top, float height) {
        return top + (float) (height * (high - c.battery()) / (high - low));
    }
}
