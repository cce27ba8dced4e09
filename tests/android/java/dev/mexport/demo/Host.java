package dev.mexport.demo;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.robolectric.RuntimeEnvironment;

/** What of this computer stands for the phone. */
public final class Host {
    private Host() {}

    /** Where tests leave what is looked at afterwards. */
    public static File out() {
        return new File(System.getProperty("mexport.out"));
    }

    /** The app finds its ncnn program in its folder of native libraries; here that folder holds a program of the test's choice. */
    public static void program(String script) throws IOException {
        Path folder = Files.createTempDirectory("native");
        Path program = folder.resolve("libncnn_runner.so");
        Files.writeString(program, script);
        program.toFile().setExecutable(true);
        RuntimeEnvironment.getApplication().getApplicationInfo().nativeLibraryDir = folder.toString();
    }

    /** The real one, which is for ARM, under qemu where this computer is none. */
    public static void ncnn() throws IOException {
        program("#!/bin/sh\nexec " + System.getProperty("mexport.ncnn") + " \"$@\"\n");
    }

    /** None, as on a phone with a processor that the app was not built for. */
    public static void none() throws IOException {
        RuntimeEnvironment.getApplication().getApplicationInfo().nativeLibraryDir = Files.createTempDirectory("native").toString();
    }
}
