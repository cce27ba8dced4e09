package dev.mexport.demo.measure;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import android.content.Context;
import dev.mexport.demo.Host;
import dev.mexport.demo.engine.TfLiteEngine;
import dev.mexport.demo.model.Catalogue;
import dev.mexport.demo.model.Model;
import java.util.ArrayList;
import java.util.List;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;

/** The app's own classes with the real engines, on a JVM: only the phone under them is Robolectric's. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 34)
public final class EnginesTest {
    private static final Settings QUICK = new Settings(1, 20, 1, 2, 0, 0, 0);
    private Context context;
    private Catalogue catalogue;

    @Before public void app() throws Exception {
        context = RuntimeEnvironment.getApplication();
        catalogue = new Catalogue(context);
        Host.ncnn();
    }

    private Model of(String engine) {
        for (Model m : catalogue.models()) if (m.engine().equals(engine)) return m;
        throw new AssertionError("no bundle for " + engine);
    }

    private List<Result> measure(Settings settings, List<String> turns) throws Exception {
        return new Measurement(context, catalogue).run(catalogue.models(), settings, new Cancel(), new Measurement.Listener() {
            @Override public void turn(String model, int done, int all) {
                turns.add(model);
            }

            @Override public void result(Result result) {}
        });
    }

    @Test public void everyBundleGivesTheComputersOutputs() throws Exception {
        for (Model model : catalogue.models()) {
            Check.Outcome outcome = new Check(context, catalogue).run(model);
            System.out.println("CHECK " + outcome.json());
            assertNull(model.name(), outcome.error());
            assertTrue(outcome.toString(), outcome.passed());
            assertEquals(outcome.toString(), 1.0, outcome.top1(), 0);
        }
    }

    @Test public void xnnpackComputesTheModel() throws Exception {
        Model model = of(Model.TFLITE);
        try (TfLiteEngine engine = new TfLiteEngine(model, catalogue.unpack(model), 1)) {
            assertTrue("XNNPACK took " + engine.delegated() + " nodes", engine.delegated() > 0);
        }
    }

    @Test public void everySampleIsKeptAndTurnsChange() throws Exception {
        List<String> turns = new ArrayList<>();
        List<Result> results = measure(QUICK, turns);
        int n = catalogue.models().size();
        assertEquals(2 * n, turns.size());
        assertFalse("another model begins the second round", turns.get(0).equals(turns.get(n)));
        for (Result r : results) {
            assertNull(r.model(), r.error());
            assertEquals(r.model(), 20, r.ms().length);
            assertTrue(r.model(), r.loadMs() > 0 && r.firstMs() > 0 && r.peakBytes() > 0);
            assertFalse(r.model(), r.track().isEmpty());
        }
    }

    @Test(timeout = 120_000) public void aSustainedRunLastsAsLongAsAsked() throws Exception {
        Settings sustained = new Settings(1, 1, 0, 5, 3, 0.005, 0);
        long start = System.nanoTime();
        List<Result> results = measure(sustained, new ArrayList<>());
        assertTrue((System.nanoTime() - start) / 1e9 >= 0.3 * results.size());
        for (Result r : results) assertTrue(r.model() + " " + r.ms().length, r.ms().length >= (r.engine().startsWith("ncnn") ? 1 : 2));
    }

    @Test public void aRequestToEndIsHeard() throws Exception {
        Cancel cancel = new Cancel();
        Measurement.Listener stop = new Measurement.Listener() {
            @Override public void turn(String model, int done, int all) {
                if (done == 1) cancel.ask();
            }

            @Override public void result(Result result) {}
        };
        List<Result> results = new Measurement(context, catalogue).run(catalogue.models(), QUICK, cancel, stop);
        assertFalse(results.get(0).valid());
        assertEquals(List.of("cancelled"), results.get(0).reasons());
        assertEquals("not run", results.get(1).error());
    }

    @Test public void anNcnnThatIsKilledLeavesTheAppAlive() throws Exception {
        Host.program("#!/bin/sh\nkill -9 $$\n");
        for (Result r : measure(QUICK, new ArrayList<>())) {
            if (!r.sha256().equals(of(Model.NCNN).sha256())) assertTrue(r.model(), r.timed());
            else assertTrue(r.error(), r.error().contains("killed ncnn (signal 9)"));
        }
    }

    @Test public void aRefusedSystemCallIsNamed() throws Exception {
        Host.program("#!/bin/sh\nexit 159\n");
        assertTrue(new Check(context, catalogue).run(of(Model.NCNN)).error().contains("signal 31"));
    }

    @Test public void aProcessorWithoutTheProgramIsSaidSo() throws Exception {
        Host.none();
        assertTrue(new Check(context, catalogue).run(of(Model.NCNN)).error().contains("no ncnn program for this phone's processor"));
    }

    @Test public void statisticsAreThoseOfTheComputer() {
        Statistics s = Statistics.of(new double[] {9, 1, 2, 3, 4});
        assertEquals(3, s.median(), 0);
        assertEquals(1.4, s.p10(), 1e-12);
        assertEquals(7.0, s.p90(), 1e-12);
        assertEquals(3.8, s.mean(), 1e-12);
        assertEquals(2.5, s.mean2To20(), 1e-12);
        assertEquals(1000 / 3.0, s.fps(), 1e-9);
    }

    @Test public void reportsAreReadAgain() throws Exception {
        List<Result> results = measure(QUICK, new ArrayList<>());
        Check.Outcome check = new Check(context, catalogue).run(of(Model.ONNX));
        Check.Outcome stale = Check.Outcome.parse(check.json().put("artifact_sha256", "0".repeat(64)));
        new Report(QUICK, results, List.of(check, stale)).write(context, new Phone(context));
        Report again = Report.read(context, catalogue.models());
        assertEquals(results.size(), again.results().size());
        assertEquals(results.get(0).ms().length, again.results().get(0).ms().length);
        assertEquals("a check of another file of that name is none of this model's", 1, again.checks().size());
        assertEquals(check.sha256(), again.checks().get(0).sha256());
        assertTrue(again.checks().get(0).passed());
    }
}
