package dev.mexport.demo.model;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/**
 * An input or output of a model's file, and how it stands to the source's.
 *
 * <p>File axis i holds source axis perm[i]; where the file has no batch axis, perm leaves 0 out. Integers stand for
 * (q - zeroPoint) * scale; scale is 0 where nothing is quantized.
 */
public record Tensor(String name, int[] shape, int[] perm, String dtype, float scale, int zeroPoint, int[] sourceShape,
        String sourceLayout, Preprocessing preprocessing) {

    static Tensor parse(JSONObject o) throws JSONException {
        JSONObject prep = o.optJSONObject("preprocessing");
        return new Tensor(o.getString("name"), ints(o, "shape"), ints(o, "perm"), o.getString("dtype"),
                o.isNull("scale") ? 0 : (float) o.getDouble("scale"), o.optInt("zero_point"), ints(o, "source_shape"),
                o.getString("source_layout"), prep == null ? null : Preprocessing.parse(prep));
    }

    /** Number of elements. */
    public int size() {
        return product(shape);
    }

    /** Bytes of one element. */
    public int width() {
        return switch (dtype) {
            case "int8", "uint8" -> 1;
            case "int64" -> 8;
            default -> 4;
        };
    }

    /** Real numbers of one sample in the source's layout, as this tensor has them. */
    public float[] fromSource(float[] values) {
        int rank = sourceShape.length;
        int[] stride = new int[rank];
        for (int axis = rank - 1, step = 1; axis >= 0; step *= sourceShape[axis--]) stride[axis] = step;
        int[] at = new int[perm.length];
        float[] moved = new float[values.length];
        for (int i = 0; i < moved.length; i++) {
            int from = 0;
            for (int k = 0; k < perm.length; k++) from += at[k] * stride[perm[k]];
            moved[i] = values[from];
            for (int k = perm.length - 1; k >= 0 && ++at[k] == sourceShape[perm[k]]; k--) at[k] = 0;
        }
        return moved;
    }

    /** Real numbers as the engine wants them; rounded half to even and clamped where it wants integers. */
    public ByteBuffer pack(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(values.length * width()).order(ByteOrder.nativeOrder());
        for (float v : values) {
            switch (dtype) {
                case "float32" -> bytes.putFloat(v);
                case "int8" -> bytes.put((byte) stored(v, -128, 127));
                case "uint8" -> bytes.put((byte) stored(v, 0, 255));
                case "int64" -> bytes.putLong((long) stored(v, Long.MIN_VALUE, Long.MAX_VALUE));
                default -> bytes.putInt((int) stored(v, Integer.MIN_VALUE, Integer.MAX_VALUE));
            }
        }
        ((Buffer) bytes).rewind();  // ByteBuffer.rewind() is newer than API 26
        return bytes;
    }

    /** The inverse. */
    public float[] unpack(ByteBuffer bytes) {
        ((Buffer) bytes.order(ByteOrder.nativeOrder())).rewind();
        float[] values = new float[bytes.remaining() / width()];
        for (int i = 0; i < values.length; i++) {
            values[i] = switch (dtype) {
                case "float32" -> bytes.getFloat();
                case "int8" -> real(bytes.get());
                case "uint8" -> real(bytes.get() & 0xff);
                case "int64" -> real(bytes.getLong());
                default -> real(bytes.getInt());
            };
        }
        return values;
    }

    private double stored(float v, double low, double high) {
        return Math.max(low, Math.min(high, Math.rint(scale == 0 ? v : v / scale) + zeroPoint));
    }

    private float real(long q) {
        return scale == 0 ? q : ((float) q - zeroPoint) * scale;
    }

    private static int product(int[] dims) {
        int n = 1;
        for (int d : dims) n *= d;
        return n;
    }

    private static int[] ints(JSONObject o, String name) throws JSONException {
        JSONArray a = o.getJSONArray(name);
        int[] values = new int[a.length()];
        for (int i = 0; i < values.length; i++) values[i] = a.getInt(i);
        return values;
    }
}
