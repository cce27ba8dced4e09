package dev.mexport.demo.ui;

import android.content.ContentProvider;
import android.content.ContentValues;
import android.content.Context;
import android.database.Cursor;
import android.database.MatrixCursor;
import android.net.Uri;
import android.os.ParcelFileDescriptor;
import android.provider.OpenableColumns;
import dev.mexport.demo.measure.Report;
import java.io.File;
import java.io.FileNotFoundException;

/** Lets the app that the user chose read one of two files, by a grant that ends with its screen; nobody else, and nothing else. */
public final class ShareProvider extends ContentProvider {
    private static final String JSON = "results.json", PICTURE = "screen.png";

    static Uri uri(Context context, File file) {
        String name = file.getName().endsWith(".png") ? PICTURE : JSON;
        return new Uri.Builder().scheme("content").authority(context.getPackageName() + ".share").appendPath(name).build();
    }

    private File file(Uri uri) throws FileNotFoundException {
        Context context = getContext();
        String name = uri.getLastPathSegment();
        if (context == null || uri.getPathSegments().size() != 1 || !(JSON.equals(name) || PICTURE.equals(name))) {
            throw new FileNotFoundException(String.valueOf(uri));
        }
        return JSON.equals(name) ? Report.file(context) : new File(context.getCacheDir(), PICTURE);
    }

    @Override public ParcelFileDescriptor openFile(Uri uri, String mode) throws FileNotFoundException {
        if (!"r".equals(mode)) throw new FileNotFoundException(uri + " can only be read");
        return ParcelFileDescriptor.open(file(uri), ParcelFileDescriptor.MODE_READ_ONLY);
    }

    @Override public Cursor query(Uri uri, String[] projection, String selection, String[] arguments, String order) {
        String[] all = {OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE};
        MatrixCursor cursor = new MatrixCursor(projection == null ? all : projection);
        try {
            long bytes = file(uri).length();
            cursor.newRow().add(OpenableColumns.DISPLAY_NAME, uri.getLastPathSegment()).add(OpenableColumns.SIZE, bytes);
        } catch (FileNotFoundException e) {
            return cursor;
        }
        return cursor;
    }

    @Override public String getType(Uri uri) {
        return PICTURE.equals(uri.getLastPathSegment()) ? "image/png" : "application/json";
    }

    @Override public boolean onCreate() {
        return true;
    }

    @Override public Uri insert(Uri uri, ContentValues values) {
        throw new UnsupportedOperationException();
    }

    @Override public int delete(Uri uri, String selection, String[] arguments) {
        throw new UnsupportedOperationException();
    }

    @Override public int update(Uri uri, ContentValues values, String selection, String[] arguments) {
        throw new UnsupportedOperationException();
    }
}
