package dev.mexport.demo.measure;

import android.content.Context;
import dev.mexport.demo.model.Model;
import java.io.File;

/** Which runner runs a model. */
final class Runners {
    private final Runner inApp = new InAppRunner();
    private final Runner ncnn;

    Runners(Context context) {
        ncnn = new NcnnRunner(new File(context.getApplicationInfo().nativeLibraryDir), context.getCacheDir());
    }

    Runner of(Model model) {
        return model.engine().equals(Model.NCNN) ? ncnn : inApp;
    }
}
