package dev.mexport.demo.measure;

import android.app.ActivityManager;
import android.content.Context;
import android.content.Intent;
import android.content.IntentFilter;
import android.os.BatteryManager;
import android.os.Build;
import android.os.PowerManager;
import dev.mexport.demo.NewerApi;
import java.io.File;
import java.util.Arrays;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** What the phone tells about itself, and how it is. No permission is needed for any of it. */
public final class Phone {
    private static final String CPUS = "/sys/devices/system/cpu/cpu";
    private final Context context;
    private final PowerManager power;

    public Phone(Context context) {
        this.context = context.getApplicationContext();
        this.power = this.context.getSystemService(PowerManager.class);
    }

    Conditions conditions(double second) {
        return new Conditions(second, power.isInteractive(), inFront(), thermal(), batteryTemperature(), megahertz());
    }

    /** Whether the phone saves power: its figures are then not the usual ones. */
    boolean savesPower() {
        return power.isPowerSaveMode();
    }

    /** Facts that do not change. */
    JSONObject facts() throws JSONException {
        JSONArray parts = new JSONArray();
        for (int i = 0; i < cores(); i++) parts.put(Proc.first(CPUS + i + "/regs/identification/midr_el1"));
        JSONArray most = new JSONArray();
        for (int i = 0; i < cores(); i++) most.put(khz(i, "cpuinfo_max_freq") / 1000);
        return new JSONObject().put("maker", Build.MANUFACTURER).put("model", Build.MODEL).put("android", Build.VERSION.RELEASE)
                .put("api", Build.VERSION.SDK_INT).put("soc", soc()).put("abis", new JSONArray(Arrays.asList(Build.SUPPORTED_ABIS)))
                .put("cores", cores()).put("midr", parts).put("max_mhz", most).put("group", Proc.first("/proc/self/cpuset"))
                .put("governor", Proc.first(CPUS + "0/cpufreq/scaling_governor")).put("power_save", savesPower())
                .put("emulator", Build.FINGERPRINT.contains("generic") || Build.HARDWARE.contains("ranchu"));
    }

    static int cores() {
        int n = 0;
        while (new File(CPUS + n).isDirectory()) n++;
        return n > 0 ? n : Runtime.getRuntime().availableProcessors();
    }

    private static int megahertz() {
        long most = 0;
        for (int i = 0; i < cores(); i++) most = Math.max(most, khz(i, "scaling_cur_freq"));
        return (int) (most / 1000);
    }

    private static long khz(int core, String name) {
        String text = Proc.first(CPUS + core + "/cpufreq/" + name);
        try {
            return text.isEmpty() ? 0 : Long.parseLong(text);
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    private static boolean inFront() {
        ActivityManager.RunningAppProcessInfo own = new ActivityManager.RunningAppProcessInfo();
        ActivityManager.getMyMemoryState(own);
        return own.importance <= ActivityManager.RunningAppProcessInfo.IMPORTANCE_FOREGROUND;
    }

    private double batteryTemperature() {
        Intent battery = context.registerReceiver(null, new IntentFilter(Intent.ACTION_BATTERY_CHANGED));
        int tenths = battery == null ? Integer.MIN_VALUE : battery.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, Integer.MIN_VALUE);
        return tenths == Integer.MIN_VALUE ? Double.NaN : tenths / 10.0;
    }

    @NewerApi private int thermal() {
        return Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q ? power.getCurrentThermalStatus() : -1;
    }

    @NewerApi private static String soc() {
        return Build.VERSION.SDK_INT >= Build.VERSION_CODES.S ? Build.SOC_MANUFACTURER + " " + Build.SOC_MODEL : Build.HARDWARE;
    }
}
