package dev.mexport.demo;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.Request;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/** Runs test classes, or single tests (CLASS#METHOD), and tells each result in a line: RESULT class method ok|failed|skipped TRACE, the trace in base64. */
public final class Told extends RunListener {
    private String verdict = "ok";
    private String trace = "";

    public static void main(String[] classes) throws ClassNotFoundException {
        JUnitCore core = new JUnitCore();
        core.addListener(new Told());
        for (String name : classes) {
            String[] parts = name.split("#");
            Class<?> test = Class.forName(parts[0]);
            core.run(parts.length == 1 ? Request.aClass(test) : Request.method(test, parts[1]));
        }
        System.exit(0);
    }

    @Override public void testStarted(Description test) {
        verdict = "ok";
        trace = "";
    }

    @Override public void testFailure(Failure failure) {
        note("failed", failure);
        if (!failure.getDescription().isTest()) testFinished(failure.getDescription());
    }

    @Override public void testAssumptionFailure(Failure failure) {
        note("skipped", failure);
    }

    @Override public void testFinished(Description test) {
        String encoded = Base64.getEncoder().encodeToString(trace.getBytes(StandardCharsets.UTF_8));
        System.out.println("\nRESULT " + test.getClassName() + " " + test.getMethodName() + " " + verdict + " " + encoded);
    }

    private void note(String verdict, Failure failure) {
        this.verdict = verdict;
        StringWriter text = new StringWriter();
        failure.getException().printStackTrace(new PrintWriter(text));
        trace = text.toString();
    }
}
