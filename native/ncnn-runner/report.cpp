#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrays.h"
#include "cpu.h"
#include "platform.h"

namespace {

std::string text(const std::string& value) {
    std::string quoted = "\"";
    for (unsigned char c : value) {
        char escaped[8];
        if (c == '"' || c == '\\') quoted += '\\';
        if (c >= 0x20) quoted += (char)c;
        else {
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
            quoted += escaped;
        }
    }
    return quoted + "\"";
}

std::string number(double value, const char* form = "%.6g") {
    char digits[40];
    snprintf(digits, sizeof digits, form, value);
    return isfinite(value) ? digits : "null";
}

template <typename Items, typename Word> std::string list(const Items& items, const Word& word) {
    std::string joined = "[";
    for (const auto& item : items) joined += (joined.size() > 1 ? ", " : "") + word(item);
    return joined + "]";
}

std::string times(const std::vector<double>& ms) {
    return list(ms, [](double v) { return number(v, "%.6f"); });
}

std::string shape(const ncnn::Mat& m) {
    return list(shape_of(m), [](int axis) { return std::to_string(axis); });
}

// Of this process since it began: VmHWM, not getrusage's, which starts with what the parent held.
long peak_rss_bytes() {
    long kib = 0;
    char line[256];
    FILE* status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6)) kib = atol(line + 6);
    if (status) fclose(status);
    return kib * 1024;
}

std::string truth(int value) {
    return value ? "true" : "false";
}

std::string cpu_json() {
    return "{\"count\": " + std::to_string(ncnn::get_cpu_count()) + ", \"big\": " + std::to_string(ncnn::get_big_cpu_count()) +
           ", \"little\": " + std::to_string(ncnn::get_little_cpu_count()) + ", \"fp16\": " + truth(ncnn::cpu_support_arm_asimdhp()) +
           ", \"dotprod\": " + truth(ncnn::cpu_support_arm_asimddp()) + ", \"i8mm\": " + truth(ncnn::cpu_support_arm_i8mm()) + "}";
}

std::string output_json(const std::string& name, const ncnn::Mat& m) {
    const std::vector<float> values = flat(m);
    size_t best = 0;
    for (size_t i = 1; i < values.size(); i++)
        if (values[i] > values[best]) best = i;
    return "{\"name\": " + text(name) + ", \"shape\": " + shape(m) + ", \"argmax\": " + (values.empty() ? "null" : std::to_string(best)) +
           ", \"max\": " + number(values.empty() ? NAN : values[best]) + "}";
}

std::string model_json(const Model& model) {
    std::string in, out;
    for (size_t i = 0; i < model.in.size(); i++)
        in += (i ? ", " : "") + ("{\"name\": " + text(model.inputs[i]) + ", \"shape\": " + shape(model.in[i]) + "}");
    for (size_t i = 0; i < model.out.size(); i++) out += (i ? ", " : "") + output_json(model.outputs[i], model.out[i]);
    return "\"load_ms\": " + number(model.load_ms, "%.6f") + ", \"first_ms\": " + number(model.first_ms, "%.6f") +
           ", \"options\": " + options_json(model.net.opt) + ", \"inputs\": [" + in + "], \"outputs\": [" + out + "]";
}

std::string layer_json(const LayerTimes& layer) {
    return "{\"index\": " + std::to_string(layer.index) + ", \"type\": " + text(layer.type) + ", \"name\": " + text(layer.name) +
           ", \"samples_ms\": " + times(layer.ms) + "}";
}

}  // namespace

void print(const Arguments& a, const std::vector<Model*>& models, const Measured& measured) {
    const char* cores[] = {"any", "all", "little", "big"};
    std::string all = "{\"schema\": 1, \"engine\": \"ncnn\", \"version\": " + text(NCNN_VERSION_STRING) +
                      ", \"threads\": " + std::to_string(a.threads) + ", \"cores\": " + text(cores[a.cores + 1]) + ", \"cpu\": " + cpu_json() +
                      ", \"warmup_runs\": " + std::to_string(a.warmup) + ", \"marks\": " + truth(a.marks) + ", " + model_json(*models[0]) +
                      ", \"samples_ms\": " + times(measured.ms) + ", \"cpu_ms\": " + times(measured.cpu_ms);
    if (a.layers) all += ", \"layers\": " + list(measured.layers, layer_json);
    if (models.size() > 1)
        all += ", \"versus\": {" + model_json(*models[1]) + ", \"samples_ms\": " + times(measured.other_ms) +
               ", \"cpu_ms\": " + times(measured.other_cpu_ms) + "}";
    printf("%s, \"peak_rss_bytes\": %ld}\n", all.c_str(), peak_rss_bytes());
}
