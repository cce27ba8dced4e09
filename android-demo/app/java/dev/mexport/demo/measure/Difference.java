package dev.mexport.demo.measure;

/** How far outputs are from what they must be, over all samples; the same definitions as on the computer. */
record Difference(double rel, double sqnrDb, double top1) {

    static Difference of(float[][] want, float[][] got) {
        double most = 0, largest = 0, signal = 0, noise = 0;
        int same = 0;
        for (int s = 0; s < want.length; s++) {
            if (want[s].length != got[s].length) return new Difference(Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 0);
            for (int i = 0; i < want[s].length; i++) {
                double d = (double) got[s][i] - want[s][i];
                if (Double.isNaN(d)) return new Difference(Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 0);
                most = Math.max(most, Math.abs(d));
                largest = Math.max(largest, Math.abs(want[s][i]));
                signal += (double) want[s][i] * want[s][i];
                noise += d * d;
            }
            if (argmax(want[s]) == argmax(got[s])) same++;
        }
        double db = noise == 0 ? Double.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
        return new Difference(most / (largest == 0 ? 1 : largest), db, (double) same / Math.max(1, want.length));
    }

    static int argmax(float[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
        return best;
    }
}
