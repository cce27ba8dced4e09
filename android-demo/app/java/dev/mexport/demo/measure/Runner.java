package dev.mexport.demo.measure;

import dev.mexport.demo.engine.EngineException;
import dev.mexport.demo.model.Model;
import java.io.File;
import java.io.IOException;

/** Runs models of one kind of engine. Values are real numbers in each file's own layout. */
interface Runner {
    /** The first inference, the warm-up, then at least `runs` and at least `seconds`. */
    Turn time(Model model, File folder, float[][] inputs, Settings settings, Cancel cancel)
            throws EngineException, IOException, InterruptedException;

    /** Outputs of one inference for each sample: samples x outputs x elements. */
    float[][][] infer(Model model, File folder, float[][][] samples, int threads)
            throws EngineException, IOException, InterruptedException;

    /** How long the last inference of `infer` took, in milliseconds. */
    double lastMs();
}
