package dev.mexport.demo.model;

import android.content.Context;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.List;

/** The models in this app. Engines open files, not assets: each is copied out once, and its sha256 compared before every use. */
public final class Catalogue {
    private static final String ROOT = "models/";
    private final Context context;
    private final List<Model> models;

    public Catalogue(Context context) throws BundleException {
        this.context = context.getApplicationContext();
        this.models = Model.parse(text("index.json"));
    }

    public List<Model> models() {
        return models;
    }

    /** The model of that name, or null. */
    public Model find(String name) {
        for (Model m : models) if (m.name().equals(name)) return m;
        return null;
    }

    /** The folder that holds a model's files, each as its bundle says it must be. */
    public File unpack(Model model) throws BundleException {
        File folder = new File(context.getCodeCacheDir(), "models/" + model.name());  // emptied when the app is updated
        for (ModelFile file : model.files()) unpack(model, file, new File(folder, file.path()));
        return folder;
    }

    private void unpack(Model model, ModelFile file, File target) throws BundleException {
        try {
            if (target.isFile() && sha256(target).equals(file.sha256())) return;
            File folder = target.getParentFile();
            if (folder == null || (!folder.isDirectory() && !folder.mkdirs())) throw new IOException("no folder " + folder);
            File part = new File(folder, target.getName() + ".part");
            try (InputStream in = open(model.name() + "/" + file.path()); OutputStream out = new FileOutputStream(part)) {
                copy(in, out);
            }
            String got = sha256(part);
            if (!got.equals(file.sha256())) {
                throw new BundleException(model.name() + ": " + file.path() + " is damaged: its sha256 is " + got.substring(0, 12)
                        + ", must be " + file.sha256().substring(0, 12));
            }
            if (!part.renameTo(target)) throw new IOException("cannot rename " + part);
        } catch (IOException e) {
            throw new BundleException(model.name() + ": " + file.path() + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** Class names, in the order of the outputs; empty where nothing tells them. */
    public List<String> labels(Model model) throws BundleException {
        if (model.labels() == null) return List.of();
        return Arrays.asList(text(model.name() + "/" + model.labels()).trim().split("\r?\n"));
    }

    /** A reference file's samples: samples x elements, float32. */
    public float[][] samples(Model model, String name, int elements) throws BundleException {
        File file = new File(unpack(model), name);
        try (InputStream in = new FileInputStream(file)) {
            ByteBuffer all = ByteBuffer.wrap(bytes(in)).order(ByteOrder.LITTLE_ENDIAN);
            float[][] rows = new float[all.remaining() / 4 / elements][elements];
            for (float[] row : rows) for (int i = 0; i < elements; i++) row[i] = all.getFloat();
            return rows;
        } catch (IOException e) {
            throw new BundleException(model.name() + ": " + name + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** One reference sample for every input. */
    public float[][] inputs(Model model, int sample) throws BundleException {
        float[][] values = new float[model.inputs().size()][];
        for (int i = 0; i < values.length; i++) values[i] = samples(model, "in" + i + ".f32", model.inputs().get(i).size())[sample];
        return values;
    }

    private String text(String path) throws BundleException {
        try (InputStream in = open(path)) {
            return new String(bytes(in), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new BundleException("this app holds no " + path + ": build it with `mexport app build OUT`", e);
        }
    }

    private InputStream open(String path) throws IOException {
        return context.getAssets().open(ROOT + path);
    }

    private static byte[] bytes(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        copy(in, out);
        return out.toByteArray();
    }

    private static void copy(InputStream in, OutputStream out) throws IOException {
        byte[] part = new byte[1 << 16];
        for (int n; (n = in.read(part)) > 0; ) out.write(part, 0, n);
    }

    private static String sha256(File file) throws IOException {
        try (InputStream in = new FileInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] part = new byte[1 << 16];
            for (int n; (n = in.read(part)) > 0; ) digest.update(part, 0, n);
            StringBuilder hex = new StringBuilder();
            for (byte b : digest.digest()) hex.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
            return hex.toString();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
