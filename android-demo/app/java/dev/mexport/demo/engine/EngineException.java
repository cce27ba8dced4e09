package dev.mexport.demo.engine;

/** An engine that refuses a model, or fails; the message is for people. */
public final class EngineException extends Exception {
    private static final long serialVersionUID = 1;

    public EngineException(String message) {
        super(message);
    }

    public EngineException(String message, Throwable cause) {
        super(message, cause);
    }

    /** What an exception says; its kind, where it says nothing. */
    public static String words(Exception e) {
        return e.getMessage() == null ? e.toString() : e.getMessage();
    }
}
