package dev.mexport.demo.measure;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import dev.mexport.demo.Host;
import dev.mexport.demo.model.BundleException;
import dev.mexport.demo.model.Catalogue;
import dev.mexport.demo.model.Model;
import dev.mexport.demo.model.ModelFile;
import dev.mexport.demo.model.Tensor;
import dev.mexport.demo.picture.Pixels;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;

/** What the app makes of bundles, good and bad, and of pictures. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 34)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public final class BundlesTest {
    private static Catalogue catalogue() throws Exception {
        return new Catalogue(RuntimeEnvironment.getApplication());
    }

    private static Model with(Model m, List<ModelFile> files, String main, String engine) {
        return new Model(m.name(), engine, m.precision(), m.threads(), m.options(), m.bytes(), main, files, m.inputs(), m.outputs(),
                m.labels(), m.limits(), m.samples());
    }

    @Test public void aFileThatIsNotTheBundlesIsRefused() throws Exception {
        Model good = catalogue().models().get(0);
        List<ModelFile> files = new ArrayList<>(good.files());
        files.set(0, new ModelFile(files.get(0).path(), files.get(0).bytes(), "0".repeat(64)));
        BundleException e = assertThrows(BundleException.class, () -> catalogue().unpack(with(good, files, good.main(), good.engine())));
        assertTrue(e.getMessage(), e.getMessage().contains("is damaged: its sha256 is"));
    }

    @Test public void aFileChangedOnThePhoneIsCopiedAnew() throws Exception {
        Model model = catalogue().models().get(0);
        File file = new File(catalogue().unpack(model), model.main());
        byte[] good = Files.readAllBytes(file.toPath());
        Files.write(file.toPath(), new byte[] {1});
        catalogue().unpack(model);
        assertArrayEquals(good, Files.readAllBytes(file.toPath()));
    }

    @Test public void aDamagedIndexIsNamed() {
        assertThrows(BundleException.class, () -> Model.parse("{\"schema\": 1, \"mod"));
        BundleException e = assertThrows(BundleException.class, () -> Model.parse("{\"schema\": 7, \"models\": []}"));
        assertEquals("the index has schema 7, this app reads 1", e.getMessage());
    }

    @Test public void aFileThatNoEngineReadsIsAnErrorNotACrash() throws Exception {
        Host.ncnn();
        for (Model m : catalogue().models()) {
            Check.Outcome outcome = new Check(RuntimeEnvironment.getApplication(), catalogue()).run(with(m, m.files(), "labels.txt", m.engine()));
            assertTrue(m.name(), !outcome.passed() && outcome.error() != null && !outcome.error().isEmpty());
        }
    }

    @Test public void tooFewReferenceSamplesAreAnErrorNotACrash() throws Exception {
        Host.none();
        Model m = catalogue().models().get(0);
        Model more = new Model(m.name(), m.engine(), m.precision(), m.threads(), m.options(), m.bytes(), m.main(), m.files(), m.inputs(),
                m.outputs(), m.labels(), m.limits(), m.samples() + 1);
        Check.Outcome outcome = new Check(RuntimeEnvironment.getApplication(), catalogue()).run(more);
        assertTrue(String.valueOf(outcome.error()), !outcome.passed() && outcome.error().contains("out of bounds"));
    }

    @Test public void anUnknownEngineIsNamed() throws Exception {
        Host.none();
        Model m = catalogue().models().get(0);
        Check.Outcome outcome = new Check(RuntimeEnvironment.getApplication(), catalogue()).run(with(m, m.files(), m.main(), "mnn"));
        assertEquals("this app has no engine named mnn", outcome.error());
    }

    @Test public void picturesBecomeInputsAsOnTheComputer() throws Exception {
        JSONArray cases = new JSONArray(Files.readString(new File(System.getProperty("mexport.pictures"), "cases.json").toPath()));
        for (int i = 0; i < cases.length(); i++) {
            JSONObject o = cases.getJSONObject(i);
            File folder = new File(System.getProperty("mexport.pictures"));
            Bitmap bitmap = BitmapFactory.decodeFile(new File(folder, o.getString("file")).getPath());
            Tensor tensor = Model.parse(o.getString("index")).get(0).inputs().get(0);
            float[] got = tensor.fromSource(Pixels.of(bitmap).input(tensor));
            ByteBuffer raw = ByteBuffer.wrap(Files.readAllBytes(new File(folder, o.getString("want")).toPath())).order(ByteOrder.LITTLE_ENDIAN);
            float[] want = new float[raw.remaining() / 4];
            for (int k = 0; k < want.length; k++) want[k] = raw.getFloat();
            assertArrayEquals(o.getString("what"), want, got, (float) o.getDouble("level"));
        }
    }

    @Test public void integersAreRoundedHalfToEvenAndClamped() {
        Tensor t = new Tensor("x", new int[] {4}, new int[] {0}, "int8", 0.5f, 1, new int[] {4}, "plain", null);
        ByteBuffer q = t.pack(new float[] {0.25f, 0.75f, 1000f, -1000f});
        byte[] got = {q.get(0), q.get(1), q.get(2), q.get(3)};
        assertEquals(Arrays.toString(new byte[] {1, 3, 127, -128}), Arrays.toString(got));
        assertArrayEquals(new float[] {0, 1, 63, -64.5f}, t.unpack(q), 0);
    }
}
