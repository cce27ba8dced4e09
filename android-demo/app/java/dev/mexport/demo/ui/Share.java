package dev.mexport.demo.ui;

import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.net.Uri;
import android.view.View;
import android.widget.Toast;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Report;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;

/** Hands the results to another app, as JSON or as a picture of the screen. */
final class Share {
    private Share() {}

    static void json(Activity activity) {
        send(activity, Report.file(activity), "application/json");
    }

    static void picture(Activity activity) {
        View view = activity.getWindow().getDecorView();
        Bitmap bitmap = Bitmap.createBitmap(Math.max(1, view.getWidth()), Math.max(1, view.getHeight()), Bitmap.Config.ARGB_8888);
        view.draw(new Canvas(bitmap));
        File file = new File(activity.getCacheDir(), "screen.png");
        try (OutputStream out = new FileOutputStream(file)) {
            bitmap.compress(Bitmap.CompressFormat.PNG, 100, out);
        } catch (IOException e) {
            Toast.makeText(activity, e.getMessage(), Toast.LENGTH_LONG).show();
            return;
        }
        send(activity, file, "image/png");
    }

    private static void send(Activity activity, File file, String type) {
        if (!file.isFile()) {
            Toast.makeText(activity, R.string.nothing_to_share, Toast.LENGTH_LONG).show();
            return;
        }
        Uri uri = ShareProvider.uri(activity, file);
        Intent send = new Intent(Intent.ACTION_SEND).setType(type).putExtra(Intent.EXTRA_STREAM, uri)
                .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION);
        send.setClipData(android.content.ClipData.newRawUri(file.getName(), uri));
        try {
            activity.startActivity(Intent.createChooser(send, activity.getString(R.string.share)));
        } catch (ActivityNotFoundException e) {
            Toast.makeText(activity, R.string.nothing_to_share_with, Toast.LENGTH_LONG).show();
        }
    }
}
