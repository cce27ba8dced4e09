package dev.mexport.demo.ui;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.app.Activity;
import android.os.Bundle;
import android.os.Looper;
import android.view.Menu;
import android.view.View;
import android.widget.ArrayAdapter;
import android.widget.Button;
import android.widget.LinearLayout;
import android.widget.ListView;
import dev.mexport.demo.R;
import dev.mexport.demo.model.Catalogue;
import org.json.JSONObject;
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

/** From nothing to the list of models. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 34)
public final class StartTest {
    /** Android's own widgets, with nothing of the app: a phone has their classes loaded before any app starts. */
    public static final class Framework extends Activity {
        @Override protected void onCreate(Bundle saved) {
            super.onCreate(saved);
            ListView list = new ListView(this);
            list.setAdapter(new ArrayAdapter<>(this, android.R.layout.simple_list_item_1, new String[] {"one", "two"}));
            LinearLayout all = new LinearLayout(this);
            all.addView(new Button(this));
            all.addView(list);
            setContentView(all);
        }

        @Override public boolean onCreateOptionsMenu(Menu menu) {
            menu.add("one");
            return true;
        }
    }

    @Before public void begin() throws Exception {
        Robolectric.buildActivity(Activity.class).setup().close();  // what the JVM needs for any screen is not the app's
    }

    @After public void end() {
        Session.forget();
    }

    @Test public void theListHoldsEveryBundle() throws Exception {
        for (String when : new String[] {"first", "again"}) start(when);
    }

    @Test public void onALoadedFramework() throws Exception {
        try (ActivityController<Framework> controller = Robolectric.buildActivity(Framework.class).setup()) {
            Shadows.shadowOf(Looper.getMainLooper()).idle();
        }
        new JSONObject("{\"a\": [1, true, null]}").getJSONArray("a").length();
        start("framework");
    }

    private static void start(String when) throws Exception {
        int bundles = new Catalogue(RuntimeEnvironment.getApplication()).models().size();
        Session.forget();
        long begin = System.nanoTime();
        try (ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class).setup()) {
            Shadows.shadowOf(Looper.getMainLooper()).idle();
            double ms = (System.nanoTime() - begin) / 1e6;
            ListView list = controller.get().findViewById(R.id.models);
            assertEquals(bundles, list.getCount());
            assertTrue("rows are drawn", list.getChildCount() > 0);
            System.out.println("\nSTART " + when + " " + bundles + " " + ms);
        }
    }
}
