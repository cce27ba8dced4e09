package dev.mexport.demo.measure;

import java.io.BufferedReader;
import java.io.FileReader;
import java.io.FileWriter;
import java.io.IOException;
import java.io.Writer;

/** What the kernel tells about processes and processors; nothing where it does not let us look. */
final class Proc {
    private static final int PROCESSOR = 39 - 3;  // fields of stat(5) after the name in brackets

    private Proc() {}

    /** The processor that a process ("PID" or "thread-self") last ran on, or -1. */
    static int processor(String process) {
        String line = first("/proc/" + process + "/stat");
        String[] fields = line.substring(line.lastIndexOf(')') + 1).trim().split(" ");
        try {
            return fields.length > PROCESSOR ? Integer.parseInt(fields[PROCESSOR]) : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    /** Peak resident memory of this process in bytes, or 0. */
    static long peakBytes() {
        try (BufferedReader in = new BufferedReader(new FileReader("/proc/self/status"))) {
            for (String line; (line = in.readLine()) != null; ) {
                if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
            }
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
        return 0;
    }

    /** Let the peak start again from what is resident now. */
    static void resetPeak() {
        try (Writer out = new FileWriter("/proc/self/clear_refs")) {
            out.write("5");
        } catch (IOException e) {
            return;  // an older kernel: the peak is then that of the whole app so far
        }
    }

    /** First line of a file, or nothing. */
    static String first(String path) {
        try (BufferedReader in = new BufferedReader(new FileReader(path))) {
            String line = in.readLine();
            return line == null ? "" : line.trim();
        } catch (IOException e) {
            return "";
        }
    }
}
