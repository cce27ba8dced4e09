package dev.mexport.demo.measure;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import dev.mexport.demo.Host;
import dev.mexport.demo.model.Catalogue;
import dev.mexport.demo.model.Model;
import java.io.File;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;

/** Pictures through the app's own decoding, preparation and engines, against what the computer took them for. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 34)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public final class PicturesTest {
    @Test public void theyAreTakenForTheSameAsOnTheComputer() throws Exception {
        Host.ncnn();
        JSONObject asked = new JSONObject(Files.readString(new File(System.getProperty("mexport.answers")).toPath()));
        JSONArray pictures = asked.getJSONArray("pictures");
        Catalogue catalogue = new Catalogue(RuntimeEnvironment.getApplication());
        Classifier classifier = new Classifier(RuntimeEnvironment.getApplication(), catalogue);
        List<String> differ = new ArrayList<>();
        int compared = 0;
        for (Model model : catalogue.models()) {
            JSONArray want = asked.getJSONObject("top1").optJSONArray(model.name());
            if (want == null) continue;
            assertTrue("no pictures", pictures.length() > 0);
            compared++;
            int same = 0;
            for (int i = 0; i < pictures.length(); i++) {
                Bitmap picture = BitmapFactory.decodeFile(pictures.getString(i));
                if (classifier.classify(model, picture).guesses().get(0).index() == want.getInt(i)) same++;
                else differ.add(model.name() + " " + pictures.getString(i));
            }
            System.out.println("\nTOP1 " + model.name() + " " + same + " " + pictures.length());
        }
        assertEquals("models compared", asked.getJSONObject("top1").length(), compared);
        assertTrue(differ.toString(), differ.isEmpty());
    }
}
