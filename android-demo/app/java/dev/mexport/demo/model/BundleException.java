package dev.mexport.demo.model;

/** A bundle that cannot be used; the message is for people. */
public final class BundleException extends Exception {
    private static final long serialVersionUID = 1;

    public BundleException(String message) {
        super(message);
    }

    public BundleException(String message, Throwable cause) {
        super(message, cause);
    }
}
