package dev.mexport.demo.picture;

/**
 * Pillow's bilinear resize: a triangle kernel widened by the shrink factor, first along rows, then along columns, each time
 * rounded to 8 bits with coefficients of 22 bits (Pillow, src/libImaging/Resample.c). From version 13 on, Pillow may begin with the
 * columns where they shrink more: that differs by a level of 255 at most.
 */
final class Bilinear {
    private static final int PRECISION = 32 - 8 - 2;

    private Bilinear() {}

    /** For each output position: where its window begins, and the weights in it. */
    private record Kernel(int[] begin, int[][] weights) {}

    static Pixels resize(Pixels p, int w, int h) {
        Pixels wide = w == p.width() ? p : horizontal(p, w, kernel(p.width(), w));
        return h == p.height() ? wide : vertical(wide, h, kernel(p.height(), h));
    }

    private static Kernel kernel(int size, int out) {
        double scale = (double) size / out, support = Math.max(scale, 1), inverse = 1 / support;
        int[] begin = new int[out];
        int[][] weights = new int[out][];
        for (int i = 0; i < out; i++) {
            double center = (i + 0.5) * scale;
            int low = Math.max(0, (int) (center - support + 0.5)), high = Math.min(size, (int) (center + support + 0.5));
            double[] k = new double[high - low];
            double sum = 0;
            for (int x = 0; x < k.length; x++) {
                k[x] = Math.max(0, 1 - Math.abs((x + low - center + 0.5) * inverse));
                sum += k[x];
            }
            begin[i] = low;
            weights[i] = new int[k.length];
            for (int x = 0; x < k.length; x++) weights[i][x] = (int) ((sum == 0 ? k[x] : k[x] / sum) * (1 << PRECISION) + 0.5);
        }
        return new Kernel(begin, weights);
    }

    private static Pixels horizontal(Pixels p, int w, Kernel kernel) {
        int n = p.channels();
        int[] out = new int[w * p.height() * n];
        for (int y = 0; y < p.height(); y++) {
            for (int x = 0; x < w; x++) {
                int[] k = kernel.weights[x];
                for (int c = 0; c < n; c++) {
                    int sum = 1 << PRECISION - 1;
                    int at = (y * p.width() + kernel.begin[x]) * n + c;
                    for (int i = 0; i < k.length; i++) sum += p.values()[at + i * n] * k[i];
                    out[(y * w + x) * n + c] = clip(sum);
                }
            }
        }
        return new Pixels(w, p.height(), n, out);
    }

    private static Pixels vertical(Pixels p, int h, Kernel kernel) {
        int line = p.width() * p.channels();
        int[] out = new int[line * h];
        for (int y = 0; y < h; y++) {
            int[] k = kernel.weights[y];
            for (int x = 0; x < line; x++) {
                int sum = 1 << PRECISION - 1;
                for (int i = 0; i < k.length; i++) sum += p.values()[(kernel.begin[y] + i) * line + x] * k[i];
                out[y * line + x] = clip(sum);
            }
        }
        return new Pixels(p.width(), h, p.channels(), out);
    }

    private static int clip(int sum) {
        return Math.max(0, Math.min(255, sum >> PRECISION));
    }
}
