package dev.mexport.demo.ui;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.app.Activity;
import android.os.Looper;
import android.widget.ListView;
import dev.mexport.demo.R;
import dev.mexport.demo.model.Catalogue;
import org.junit.After;
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
    @After public void end() {
        Session.forget();
    }

    @Test public void theListHoldsEveryBundle() throws Exception {
        int bundles = new Catalogue(RuntimeEnvironment.getApplication()).models().size();
        Robolectric.buildActivity(Activity.class).setup().close();  // what the JVM needs for any screen is not the app's
        for (String when : new String[] {"first", "again"}) {
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
}
