package dev.mexport.demo.picture;

import android.graphics.Bitmap;
import android.graphics.ColorSpace;
import android.os.Build;
import dev.mexport.demo.NewerApi;
import dev.mexport.demo.model.Preprocessing;
import dev.mexport.demo.model.Tensor;

/**
 * A picture as numbers 0..255, and from there a model's input, by the bundle's contract.
 *
 * @param values height x width x channels, row by row
 */
public record Pixels(int width, int height, int channels, int[] values) {
    private static final int PAD = 114;

    /**
     * Red, green and blue of a bitmap; transparency is ignored, and so is a colour profile: nets are trained on the numbers in the file,
     * which Android would convert.
     */
    public static Pixels of(Bitmap bitmap) {
        int width = bitmap.getWidth(), height = bitmap.getHeight();
        int[] argb = new int[width * height];
        read(bitmap, argb);
        int[] values = new int[argb.length * 3];
        for (int i = 0; i < argb.length; i++) {
            values[3 * i] = argb[i] >> 16 & 255;
            values[3 * i + 1] = argb[i] >> 8 & 255;
            values[3 * i + 2] = argb[i] & 255;
        }
        return new Pixels(width, height, 3, values);
    }

    /** Colours as the file has them. Before Android 10 a profile cannot be set aside: what it says is converted to sRGB. */
    @NewerApi private static void read(Bitmap bitmap, int[] argb) {
        ColorSpace told = bitmap.getColorSpace();
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q && bitmap.getConfig() == Bitmap.Config.ARGB_8888 && told != null) {
            bitmap.setColorSpace(ColorSpace.get(ColorSpace.Named.SRGB));
            pixels(bitmap, argb);
            bitmap.setColorSpace(told);
        } else {
            pixels(bitmap, argb);
        }
    }

    private static void pixels(Bitmap bitmap, int[] argb) {
        bitmap.getPixels(argb, 0, bitmap.getWidth(), 0, 0, bitmap.getWidth(), bitmap.getHeight());
    }

    /** Real numbers of an input, in the source's layout. */
    public float[] input(Tensor tensor) {
        Preprocessing prep = tensor.preprocessing();
        boolean last = tensor.sourceLayout().equals("nhwc");
        int[] shape = tensor.sourceShape();
        int h = shape[last ? 1 : 2], w = shape[last ? 2 : 3];
        Pixels fitted = (prep.channels() == 1 ? gray() : this).fit(h, w, prep.resize());
        int n = fitted.channels, area = w * h;
        float[] out = new float[area * n];
        for (int i = 0; i < area; i++) {
            for (int c = 0; c < n; c++) {
                int value = fitted.values[i * n + (prep.color().equals("bgr") ? n - 1 - c : c)];
                float y = (value - Preprocessing.of(prep.mean(), c)) / Preprocessing.of(prep.std(), c);
                out[last ? i * n + c : c * area + i] = y;
            }
        }
        return out;
    }

    /** Pillow's "L": ITU-R 601-2 in integers. */
    public Pixels gray() {
        int[] out = new int[width * height];
        for (int i = 0; i < out.length; i++) {
            out[i] = values[3 * i] * 19595 + values[3 * i + 1] * 38470 + values[3 * i + 2] * 7471 + 0x8000 >> 16;
        }
        return new Pixels(width, height, 1, out);
    }

    /** To a size, as the contract says: "squash", "crop:F" or "letterbox". */
    Pixels fit(int h, int w, String resize) {
        if (resize.startsWith("crop:")) return centre(Double.parseDouble(resize.substring("crop:".length()))).fit(h, w, "squash");
        if (resize.equals("letterbox")) return letterbox(h, w);
        return Bilinear.resize(this, w, h);
    }

    private Pixels centre(double share) {
        int side = Math.max(1, (int) Math.rint(Math.min(width, height) * share));
        int left = (width - side) / 2, top = (height - side) / 2;
        int[] out = new int[side * side * channels];
        for (int y = 0; y < side; y++) {
            System.arraycopy(values, ((top + y) * width + left) * channels, out, y * side * channels, side * channels);
        }
        return new Pixels(side, side, channels, out);
    }

    private Pixels letterbox(int h, int w) {
        double scale = Math.min((double) w / width, (double) h / height);
        int inW = Math.max(1, (int) Math.rint(width * scale)), inH = Math.max(1, (int) Math.rint(height * scale));
        Pixels inner = Bilinear.resize(this, inW, inH);
        int[] out = new int[w * h * channels];
        java.util.Arrays.fill(out, PAD);
        int left = (w - inW) / 2, top = (h - inH) / 2;
        for (int y = 0; y < inH; y++) {
            System.arraycopy(inner.values, y * inW * channels, out, ((top + y) * w + left) * channels, inW * channels);
        }
        return new Pixels(w, h, channels, out);
    }
}
