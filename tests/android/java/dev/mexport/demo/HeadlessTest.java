package dev.mexport.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import android.content.Context;
import dev.mexport.demo.measure.Phone;
import dev.mexport.demo.measure.Report;
import dev.mexport.demo.model.BundleException;
import java.io.File;
import java.nio.file.Files;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;

/** What `am instrument` starts, without `am`. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 34)
public final class HeadlessTest {
    private static Headless asked(String... words) throws Exception {
        Host.ncnn();
        Headless headless = new Headless();
        for (int i = 0; i < words.length; i += 2) headless.arguments.putString(words[i], words[i + 1]);
        return headless;
    }

    @Test public void allModelsAreMeasuredAndChecked() throws Exception {
        Context context = RuntimeEnvironment.getApplication();
        Report report = asked("runs", "10", "rounds", "2", "seconds", "0", "cool_down", "0").run(context);
        assertEquals(3, report.results().size());
        assertEquals(3, report.checks().size());
        File file = report.write(context, new Phone(context));
        Files.copy(file.toPath(), new File(Host.out(), "results.json").toPath(), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    }

    @Test public void oneModelMayBeNamed() throws Exception {
        Report report = asked("model", "fashion--tflite-arm64", "what", "check").run(RuntimeEnvironment.getApplication());
        assertTrue(report.results().isEmpty());
        assertEquals("fashion--tflite-arm64", report.checks().get(0).model());
    }

    @Test public void anUnknownModelOrNumberIsRefused() {
        assertThrows(BundleException.class, () -> asked("model", "nobody").run(RuntimeEnvironment.getApplication()));
        assertThrows(IllegalArgumentException.class, () -> asked("runs", "many").run(RuntimeEnvironment.getApplication()));
    }
}
