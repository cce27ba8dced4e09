package dev.mexport.demo.measure;

import java.util.Arrays;

/** A list of numbers that grows without boxing any. */
public final class Samples {
    private double[] values = new double[256];
    private int count;

    public void add(double value) {
        if (count == values.length) values = Arrays.copyOf(values, count * 2);
        values[count++] = value;
    }

    public void addAll(double[] more) {
        for (double v : more) add(v);
    }

    public int size() {
        return count;
    }

    public double[] array() {
        return Arrays.copyOf(values, count);
    }
}
