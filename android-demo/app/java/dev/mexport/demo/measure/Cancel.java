package dev.mexport.demo.measure;

/** Asked between inferences; set by whoever wants an end. */
public final class Cancel {
    private volatile boolean asked;

    public void ask() {
        asked = true;
    }

    public boolean asked() {
        return asked;
    }

    /** Sleep, but not past a request to end. */
    public void sleep(double seconds) throws InterruptedException {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        while (!asked && System.nanoTime() < end) Thread.sleep(20);
    }
}
