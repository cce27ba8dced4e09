package dev.mexport.demo.ui;

import android.content.Context;
import android.graphics.Paint;
import android.text.TextPaint;
import android.util.AttributeSet;
import android.util.TypedValue;
import android.view.View;
import dev.mexport.demo.R;

/** A picture of numbers in the app's colours, with text that grows with the user's font. */
abstract class Drawn extends View {
    protected final Paint fill = new Paint(Paint.ANTI_ALIAS_FLAG);
    protected final Paint line = new Paint(Paint.ANTI_ALIAS_FLAG);
    protected final TextPaint ink = new TextPaint(Paint.ANTI_ALIAS_FLAG);

    Drawn(Context context, AttributeSet attributes) {
        super(context, attributes);
        fill.setColor(context.getColor(R.color.bar));
        line.setColor(context.getColor(R.color.warning));
        line.setStrokeWidth(dp(2));
        ink.setColor(context.getColor(R.color.ink));
        ink.setTextSize(TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_SP, 12, getResources().getDisplayMetrics()));
    }

    protected final float dp(float value) {
        return value * getResources().getDisplayMetrics().density;
    }

    /** Height of a line of text. */
    protected final float textLine() {
        return ink.getTextSize() * 1.5f;
    }
}
