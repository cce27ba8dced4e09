package dev.mexport.demo.measure;

import java.util.ArrayList;
import java.util.List;

/** Notes once a second how the phone is, while a measurement goes on. */
final class Watch implements AutoCloseable {
    private static final long EVERY_MS = 1000;
    private final Phone phone;
    private final long begin = System.nanoTime();
    private final List<Conditions> track = new ArrayList<>();
    private final Thread thread = new Thread(this::watch, "watch");
    private volatile boolean over;

    Watch(Phone phone) {
        this.phone = phone;
        note();
        thread.start();
    }

    /** Seconds since it began. */
    double second() {
        return (System.nanoTime() - begin) / 1e9;
    }

    /** Note now: at the edges of a turn, which may be shorter than a second. */
    Conditions note() {
        Conditions now = phone.conditions(second());
        synchronized (track) {
            track.add(now);
        }
        return now;
    }

    /** What was noted from one second to another. */
    List<Conditions> between(double from, double to) {
        List<Conditions> found = new ArrayList<>();
        synchronized (track) {
            for (Conditions c : track) if (c.second() >= from && c.second() <= to) found.add(c);
        }
        return found;
    }

    private void watch() {
        while (!over) {
            try {
                Thread.sleep(EVERY_MS);
            } catch (InterruptedException e) {
                return;
            }
            note();
        }
    }

    @Override public void close() {
        over = true;
        thread.interrupt();
    }
}
