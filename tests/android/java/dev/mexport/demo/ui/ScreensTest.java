package dev.mexport.demo.ui;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;

import android.app.Activity;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.os.BatteryManager;
import android.os.Looper;
import android.provider.MediaStore;
import android.provider.OpenableColumns;
import android.view.View;
import android.view.ViewGroup;
import android.widget.EditText;
import android.widget.ImageView;
import android.widget.ListView;
import android.widget.TextView;
import dev.mexport.demo.Host;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Report;
import dev.mexport.demo.measure.Result;
import dev.mexport.demo.measure.Settings;
import dev.mexport.demo.model.Model;
import java.io.File;
import java.io.FileOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;

/** Every screen, drawn by Android's own renderer: light and dark, turned, with a large font; nothing cut, everything named. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 34, qualifiers = "w411dp-h823dp-420dpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public final class ScreensTest {
    private static byte[] kept;
    private static final Settings QUICK = new Settings(1, 40, 1, 2, 0, 0, 0);

    @Before public void app() throws Exception {
        Session.forget();
        Host.ncnn();
        Intent battery = new Intent(Intent.ACTION_BATTERY_CHANGED).putExtra(BatteryManager.EXTRA_TEMPERATURE, 312);
        RuntimeEnvironment.getApplication().sendStickyBroadcast(battery);
    }

    @After public void end() {
        Session.forget();
    }

    /** A session with results: measured by the first test that asks, read by the others as by an app that starts again. */
    private static Session measured() throws Exception {
        Path file = Report.file(RuntimeEnvironment.getApplication()).toPath();
        if (kept != null) {
            Files.createDirectories(file.getParent());
            Files.write(file, kept);
            return Session.of(RuntimeEnvironment.getApplication());
        }
        Session session = Session.of(RuntimeEnvironment.getApplication());
        session.measure(quick(session), QUICK);
        idle(session);
        session.check(session.models());
        idle(session);
        kept = Files.readAllBytes(file);
        return session;
    }

    /** Those that run natively here: times of the ncnn program under an emulator would tell nothing. */
    private static List<Model> quick(Session session) {
        List<Model> found = new ArrayList<>();
        for (Model m : session.models()) if (!m.engine().equals(Model.NCNN)) found.add(m);
        return found;
    }

    private static void idle(Session session) throws Exception {
        for (int i = 0; i < 3000 && session.progress() != null; i++) Thread.sleep(20);
        assertEquals(null, session.progress());
        Shadows.shadowOf(Looper.getMainLooper()).idle();
    }

    private static void all(String look) throws Exception {
        List<Model> models = quick(measured());
        String first = models.get(models.size() - 1).name();
        show(MainActivity.class, first, "models-" + look);
        show(RunActivity.class, null, "run-" + look);
        show(ModelActivity.class, first, "model-" + look);
        show(CompareActivity.class, first, "compare-" + look);
        show(ClassifyActivity.class, first, "classify-" + look);
    }

    private static <T extends Activity> void show(Class<T> screen, String model, String name) throws Exception {
        Intent intent = new Intent(RuntimeEnvironment.getApplication(), screen).putExtra(Screen.MODEL, model);
        try (ActivityController<T> controller = Robolectric.buildActivity(screen, intent).setup()) {
            Activity activity = controller.get();
            if (activity instanceof ClassifyActivity classify) look(classify);
            Shadows.shadowOf(Looper.getMainLooper()).idle();
            View root = activity.getWindow().getDecorView();
            draw(root, name);
            whole(name, root);
        }
    }

    private static void look(ClassifyActivity activity) throws Exception {
        Bitmap picture = android.graphics.BitmapFactory.decodeFile(System.getProperty("mexport.picture"));
        ((ImageView) activity.findViewById(R.id.picture)).setImageBitmap(picture);
        FutureTask<Void> task = new FutureTask<>(() -> activity.classify(picture), null);
        Session.of(activity).after(task);
        task.get();
    }

    /** What is clicked is named and large enough, what is drawn is described, no text is cut. */
    private static void whole(String screen, View view) {
        if (view.getVisibility() != View.VISIBLE) return;
        if (view instanceof ViewGroup group) for (int i = 0; i < group.getChildCount(); i++) whole(screen, group.getChildAt(i));
        String where = screen + ": " + view;
        if (view instanceof ImageView || view instanceof Drawn) {
            if (view.getId() == R.id.picture || view instanceof Drawn) assertNotNull(where, view.getContentDescription());
        }
        if (view.isClickable() && view.isEnabled() && view.getId() != View.NO_ID && view.getWidth() > 0 && !(view instanceof ListView)) {
            float dp = view.getHeight() / view.getResources().getDisplayMetrics().density;
            assertTrue(where + " is " + dp + " dp high", dp >= 47.5);
        }
        if (view instanceof TextView text && !(view instanceof EditText) && text.getLayout() != null && text.length() > 0) {
            for (int i = 0; i < text.getLineCount(); i++) assertEquals(where, 0, text.getLayout().getEllipsisCount(i));
            int room = text.getHeight() - text.getCompoundPaddingTop() - text.getCompoundPaddingBottom();
            assertTrue(where + " is cut: " + text.getText(), text.getLayout().getHeight() <= room + 1);
        }
    }

    private static void draw(View view, String name) throws Exception {
        Bitmap bitmap = Bitmap.createBitmap(view.getWidth(), view.getHeight(), Bitmap.Config.ARGB_8888);
        view.draw(new Canvas(bitmap));
        try (FileOutputStream out = new FileOutputStream(new File(Host.out(), name + ".png"))) {
            bitmap.compress(Bitmap.CompressFormat.PNG, 100, out);
        }
    }

    @Test public void allScreensInTheLight() throws Exception {
        all("light");
    }

    @Test @Config(qualifiers = "+night") public void allScreensInTheDark() throws Exception {
        all("dark");
    }

    @Test public void allScreensWithALargeFont() throws Exception {
        RuntimeEnvironment.setFontScale(1.5f);
        all("large");
    }

    @Test @Config(qualifiers = "+land") public void allScreensTurned() throws Exception {
        all("turned");
    }

    @Test public void whatWasChosenOutlivesATurn() throws Exception {
        try (ActivityController<RunActivity> controller = Robolectric.buildActivity(RunActivity.class).setup()) {
            ((EditText) controller.get().findViewById(R.id.runs)).setText("77");
            controller.recreate();
            assertEquals("77", ((EditText) controller.get().findViewById(R.id.runs)).getText().toString());
        }
    }

    @Test public void aTurnWhileMeasuringStillEndsInTheList() throws Exception {
        try (ActivityController<RunActivity> controller = Robolectric.buildActivity(RunActivity.class).setup()) {
            ((EditText) controller.get().findViewById(R.id.runs)).setText("1000000");
            controller.get().findViewById(R.id.start).performClick();
            controller.recreate();
            Session session = Session.of(controller.get());
            assertNotNull(session.progress());
            assertFalse(controller.get().isFinishing());
            controller.get().findViewById(R.id.cancel).performClick();
            assertFalse("the button tells that it was heard", controller.get().findViewById(R.id.cancel).isEnabled());
            idle(session);
            assertTrue(controller.get().isFinishing());
        }
    }

    @Test public void withoutAModelThereIsNothingToStart() {
        try (ActivityController<RunActivity> controller = Robolectric.buildActivity(RunActivity.class).setup()) {
            ViewGroup boxes = controller.get().findViewById(R.id.choice);
            assertTrue(controller.get().findViewById(R.id.start).isEnabled());
            for (int i = 0; i < boxes.getChildCount(); i++) boxes.getChildAt(i).performClick();
            assertFalse(controller.get().findViewById(R.id.start).isEnabled());
        }
    }

    @Test public void aCancelledRunTakesNoFiguresAway() throws Exception {
        Session session = measured();
        Model model = quick(session).get(0);
        Result earlier = session.result(model.name());
        assertTrue(String.valueOf(earlier.reasons()), earlier.valid());
        session.measure(List.of(model), QUICK);
        session.cancel();
        idle(session);
        assertSame(earlier, session.result(model.name()));
    }

    @Test public void thePictureOutlivesAChangeOfColours() throws Exception {
        try (ActivityController<ClassifyActivity> controller = Robolectric.buildActivity(ClassifyActivity.class).setup()) {
            ClassifyActivity screen = controller.get();
            Intent thumbnail = new Intent().putExtra("data", Bitmap.createBitmap(40, 30, Bitmap.Config.ARGB_8888));
            screen.findViewById(R.id.camera).performClick();
            Shadows.shadowOf(screen).receiveResult(new Intent(MediaStore.ACTION_IMAGE_CAPTURE), Activity.RESULT_OK, thumbnail);
            finished(screen);
            controller.recreate();
            finished(controller.get());
            assertNotNull(((ImageView) controller.get().findViewById(R.id.picture)).getDrawable());
            String said = ((TextView) controller.get().findViewById(R.id.answers)).getText().toString();
            for (Model m : quick(Session.of(screen))) assertTrue(said, said.contains(m.name()));
        }
    }

    @Test public void anAnswerWithoutAPictureIsToldNotACrash() throws Exception {
        try (ActivityController<ClassifyActivity> controller = Robolectric.buildActivity(ClassifyActivity.class).setup()) {
            ClassifyActivity screen = controller.get();
            for (Intent answer : new Intent[] {null, new Intent(), new Intent().putExtra("data", "no picture")}) {
                ((TextView) screen.findViewById(R.id.answers)).setText("");
                screen.findViewById(R.id.camera).performClick();
                Shadows.shadowOf(screen).receiveResult(new Intent(MediaStore.ACTION_IMAGE_CAPTURE), Activity.RESULT_OK, answer);
                finished(screen);
                assertTrue(((TextView) screen.findViewById(R.id.answers)).length() > 0);
            }
        }
    }

    private static void finished(Activity screen) throws Exception {
        FutureTask<Void> last = new FutureTask<>(() -> null);
        Session.of(screen).after(last);
        last.get();
        Shadows.shadowOf(Looper.getMainLooper()).idle();
    }

    @Test public void startMeasuresWhatIsChosen() throws Exception {
        try (ActivityController<RunActivity> controller = Robolectric.buildActivity(RunActivity.class).setup()) {
            RunActivity screen = controller.get();
            ((EditText) screen.findViewById(R.id.runs)).setText("5");
            screen.findViewById(R.id.start).performClick();
            Session session = Session.of(screen);
            assertNotNull(session.progress());
            Shadows.shadowOf(Looper.getMainLooper()).idle();
            assertEquals(View.VISIBLE, screen.findViewById(R.id.working).getVisibility());
            screen.findViewById(R.id.cancel).performClick();
            idle(session);
            assertFalse(session.results().isEmpty());
        }
    }

    @Test public void anUnknownModelEndsItsScreen() {
        Intent intent = new Intent(RuntimeEnvironment.getApplication(), ModelActivity.class).putExtra(Screen.MODEL, "nobody");
        try (ActivityController<ModelActivity> controller = Robolectric.buildActivity(ModelActivity.class, intent).create()) {
            assertTrue(controller.get().isFinishing());
        }
    }

    @Test public void aSharedFileTellsWhatIsAskedFor() throws Exception {
        measured();
        var resolver = RuntimeEnvironment.getApplication().getContentResolver();
        var uri = ShareProvider.uri(RuntimeEnvironment.getApplication(), new File("latest.json"));
        try (var cursor = resolver.query(uri, new String[] {OpenableColumns.SIZE}, null, null, null)) {
            assertTrue(cursor.moveToFirst());
            assertEquals(1, cursor.getColumnCount());
            assertEquals(kept.length, cursor.getLong(0));
        }
    }

    @Test public void onlyTheTwoFilesAreShared() throws Exception {
        measured();
        var resolver = RuntimeEnvironment.getApplication().getContentResolver();
        var root = android.net.Uri.parse("content://dev.mexport.demo.share/");
        for (String path : List.of("..%2F..%2Fsecret", "results/latest.json", "", "other.json")) {
            try {
                resolver.openFileDescriptor(android.net.Uri.withAppendedPath(root, path), "r").close();
            } catch (java.io.FileNotFoundException e) {
                continue;
            }
            throw new AssertionError("shared " + path);
        }
    }
}
