package dev.mexport.demo.engine;

/** One loaded model. Only {@link #invoke()} is timed; values are real numbers in the file's own layout. */
public interface Engine extends AutoCloseable {
    /** Name and version, as the engine itself tells them. */
    String version();

    /** Nodes of the model that XNNPACK computes; -1 where the engine has no such thing. */
    int delegated();

    /** Set an input; quantized here where the model wants integers. */
    void fill(int input, float[] values) throws EngineException;

    void invoke() throws EngineException;

    /** An output, dequantized. */
    float[] read(int output) throws EngineException;

    @Override void close();
}
