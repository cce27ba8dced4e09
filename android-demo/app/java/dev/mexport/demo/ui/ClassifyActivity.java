package dev.mexport.demo.ui;

import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.net.Uri;
import android.os.Bundle;
import android.provider.MediaStore;
import android.widget.ImageView;
import dev.mexport.demo.R;
import dev.mexport.demo.engine.EngineException;
import dev.mexport.demo.measure.Classifier;
import dev.mexport.demo.model.BundleException;
import dev.mexport.demo.model.Model;
import java.io.IOException;
import java.io.InputStream;

/** A picture of the camera or the gallery, and what each model takes it for. No permission: other apps hand the picture over. */
public final class ClassifyActivity extends Screen {
    private static final int GALLERY = 1, CAMERA = 2, LARGEST = 2048;
    private Bitmap picture;

    @Override protected int layout() {
        return R.layout.classify;
    }

    @Override protected void begin(Bundle saved) {
        onClick(R.id.gallery, () -> ask(new Intent(Intent.ACTION_GET_CONTENT).setType("image/*").addCategory(Intent.CATEGORY_OPENABLE), GALLERY));
        onClick(R.id.camera, () -> ask(new Intent(MediaStore.ACTION_IMAGE_CAPTURE), CAMERA));
        text(R.id.answers, getString(R.string.classify_hint));
        if (getLastNonConfigurationInstance() instanceof Bitmap kept) {
            show(kept);
            session.after(() -> classify(kept));
        }
    }

    /** A turn does not end this screen; a change of colours or fonts does. */
    @Override public Object onRetainNonConfigurationInstance() {
        return picture;
    }

    private void show(Bitmap picture) {
        this.picture = picture;
        ((ImageView) findViewById(R.id.picture)).setImageBitmap(picture);
    }

    @Override protected void show() {
        enable(R.id.gallery, !busy());
        enable(R.id.camera, !busy());
    }

    private void ask(Intent intent, int code) {
        try {
            startActivityForResult(intent, code);
        } catch (ActivityNotFoundException | SecurityException e) {
            text(R.id.answers, getString(R.string.no_app_for_pictures));
        }
    }

    @Override protected void onActivityResult(int code, int outcome, Intent data) {
        super.onActivityResult(code, outcome, data);
        if (outcome != RESULT_OK) return;
        session.after(() -> {
            try {
                Bitmap got = data == null ? null : code == CAMERA ? thumbnail(data) : decode(data.getData());
                if (got == null) throw new IOException(getString(R.string.no_picture));
                runOnUiThread(() -> show(got));
                classify(got);
            } catch (IOException | RuntimeException e) {  // another app's answer may be anything
                say(EngineException.words(e));
            }
        });
    }

    /** Every model that takes pictures looks at it, until the screen is left. */
    void classify(Bitmap picture) {
        StringBuilder words = new StringBuilder();
        for (Model model : session.models()) {
            if (isFinishing() || isDestroyed()) return;
            if (!Classifier.takesPictures(model)) continue;
            words.append(answer(model, picture)).append("\n\n");
            say(words.toString().trim());
        }
        if (words.length() == 0) say(getString(R.string.no_classifier));
    }

    private String answer(Model model, Bitmap picture) {
        try {
            Classifier.Answer answer = new Classifier(this, session.catalogue()).classify(model, picture);
            StringBuilder words = new StringBuilder(getString(R.string.answer_head, model.name(), Words.milliseconds(this, answer.ms()),
                    Words.milliseconds(this, answer.preparationMs())));
            for (Classifier.Guess g : answer.guesses()) words.append('\n').append(getString(R.string.guess, g.label(), g.score()));
            return words.toString();
        } catch (BundleException | EngineException | IOException | RuntimeException e) {
            return getString(R.string.answer_failed, model.name(), EngineException.words(e));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return getString(R.string.answer_failed, model.name(), getString(R.string.reason_cancelled));
        }
    }

    private void say(String text) {
        runOnUiThread(() -> text(R.id.answers, text));
    }

    /** Cameras hand a small picture over in the answer itself; a full one would need a place for it outside the app. */
    @SuppressWarnings("deprecation")
    private static Bitmap thumbnail(Intent data) {
        return data.getExtras() == null ? null : (Bitmap) data.getExtras().get("data");
    }

    /** A picture of the gallery; beyond LARGEST it is read smaller: numbers take 16 bytes a pixel, too much for 12 million. */
    private Bitmap decode(Uri uri) throws IOException {
        if (uri == null) return null;
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        try (InputStream in = getContentResolver().openInputStream(uri)) {
            BitmapFactory.decodeStream(in, null, options);
        }
        options.inJustDecodeBounds = false;
        options.inSampleSize = 1;
        while (Math.max(options.outWidth, options.outHeight) / options.inSampleSize > LARGEST) options.inSampleSize *= 2;
        try (InputStream in = getContentResolver().openInputStream(uri)) {
            return BitmapFactory.decodeStream(in, null, options);
        }
    }
}
