#include "arguments.h"

#include <errno.h>
#include <stdlib.h>

#include <functional>

#include "option.h"

namespace {

using Take = std::function<bool(const std::string& value)>;

struct Named {
    const char* name;
    bool ncnn::Option::* field;
};

// The manifest's `runtime_options`, and what ncnn itself decides by the processor.
const Named OPTIONS[] = {
    {"lightmode", &ncnn::Option::lightmode},
    {"use_winograd_convolution", &ncnn::Option::use_winograd_convolution},
    {"use_sgemm_convolution", &ncnn::Option::use_sgemm_convolution},
    {"use_int8_inference", &ncnn::Option::use_int8_inference},
    {"use_bf16_storage", &ncnn::Option::use_bf16_storage},
    {"use_fp16_packed", &ncnn::Option::use_fp16_packed},
    {"use_fp16_storage", &ncnn::Option::use_fp16_storage},
    {"use_fp16_arithmetic", &ncnn::Option::use_fp16_arithmetic},
    {"use_int8_packed", &ncnn::Option::use_int8_packed},
    {"use_int8_storage", &ncnn::Option::use_int8_storage},
    {"use_int8_arithmetic", &ncnn::Option::use_int8_arithmetic},
    {"use_packing_layout", &ncnn::Option::use_packing_layout},
    {"use_winograd23_convolution", &ncnn::Option::use_winograd23_convolution},
    {"use_winograd43_convolution", &ncnn::Option::use_winograd43_convolution},
    {"use_winograd63_convolution", &ncnn::Option::use_winograd63_convolution},
    {"use_a53_a55_optimized_kernel", &ncnn::Option::use_a53_a55_optimized_kernel},
};

bool number(const std::string& text, double low, double high, double& value) {
    char* end = nullptr;
    errno = 0;
    value = strtod(text.c_str(), &end);
    return errno == 0 && end != text.c_str() && *end == 0 && value >= low && value <= high;
}

bool integer(const std::string& text, int low, int high, int& value) {
    double v = 0;
    if (!number(text, low, high, v) || v != (int)v) return false;
    value = (int)v;
    return true;
}

bool pair(const std::string& text, std::string& name, std::string& value) {
    const size_t at = text.find('=');
    if (at == std::string::npos || at == 0) return false;
    name = text.substr(0, at);
    value = text.substr(at + 1);
    return !value.empty();
}

bool shape(const std::string& text, std::vector<int>& axes) {
    size_t at = 0;
    while (at <= text.size()) {
        const size_t comma = std::min(text.find(',', at), text.size());
        int axis = 0;
        if (!integer(text.substr(at, comma - at), 1, 1 << 24, axis)) return false;
        axes.push_back(axis);
        at = comma + 1;
    }
    return axes.size() <= 4;
}

bool truth(const std::string& text, int& value) {
    if (text == "true" || text == "false") value = text == "true";
    else return integer(text, 0, 1, value);
    return true;
}

bool cores(const std::string& text, int& value) {
    value = text == "all" ? 0 : text == "little" ? 1 : text == "big" ? 2 : -1;
    return value >= 0;
}

bool keep(const std::string& text, std::map<std::string, std::string>& kept) {
    std::string name, value;
    if (!pair(text, name, value)) return false;
    kept[name] = value;
    return true;
}

bool option(const std::string& text, std::vector<std::pair<std::string, int>>& options) {
    std::string name, value;
    int on = 0;
    ncnn::Option scratch;
    if (!pair(text, name, value) || !truth(value, on) || !set_option(scratch, name, on)) return false;
    options.emplace_back(name, on);
    return true;
}

bool input(const std::string& text, std::map<std::string, std::vector<int>>& shapes) {
    std::string name, axes;
    return pair(text, name, axes) && shapes[name].empty() && shape(axes, shapes[name]);
}

std::map<std::string, Take> takes_value(Arguments& a) {
    ModelArguments& m = a.models.back();
    return {
        {"--param", [&](const std::string& v) { m.param = v; return true; }},
        {"--bin", [&](const std::string& v) { m.bin = v; return true; }},
        {"--input", [&](const std::string& v) { return input(v, m.shapes); }},
        {"--data", [&](const std::string& v) { return keep(v, m.data); }},
        {"--output", [&](const std::string& v) { m.outputs.push_back(v); return true; }},
        {"--out", [&](const std::string& v) { return keep(v, m.out); }},
        {"--option", [&](const std::string& v) { return option(v, m.options); }},
        {"--threads", [&](const std::string& v) { return integer(v, 1, 64, a.threads); }},
        {"--warmup", [&](const std::string& v) { return integer(v, 0, 1000000, a.warmup); }},
        {"--runs", [&](const std::string& v) { return integer(v, 1, 1000000, a.runs); }},
        {"--seconds", [&](const std::string& v) { return number(v, 0, 86400, a.seconds); }},
        {"--cores", [&](const std::string& v) { return cores(v, a.cores); }},
        {"--fill", [&](const std::string& v) {
            double value = 0;
            if (!number(v, -1e30, 1e30, value)) return false;
            a.fill = true;
            a.fill_value = (float)value;
            return true;
        }},
    };
}

bool flag(const std::string& word, Arguments& a) {
    if (word == "--zero-weights") a.models.back().zero_weights = true;
    else if (word == "--marks") a.marks = true;
    else if (word == "--layers") a.layers = true;
    else if (word == "--cold") a.cold = true;
    else if (word == "--versus") a.models.emplace_back();
    else return false;
    return true;
}

std::string check(const Arguments& a) {
    if (a.models.size() > 2) return "--versus stands once";
    if (a.models.size() == 2 && (a.marks || a.layers)) return "--versus goes with neither --marks nor --layers";
    for (const ModelArguments& m : a.models) {
        if (m.param.empty()) return "--param FILE is missing";
        if (m.bin.empty() != m.zero_weights) return "one of --bin FILE and --zero-weights is needed";
        if (m.shapes.empty()) return "--input NAME=C,H,W is missing";
    }
    return "";
}

}  // namespace

bool set_option(ncnn::Option& options, const std::string& name, int value) {
    for (const Named& known : OPTIONS)
        if (name == known.name) {
            options.*known.field = value != 0;
            return true;
        }
    return false;
}

std::string options_json(const ncnn::Option& options) {
    std::string text = "{";
    for (const Named& known : OPTIONS)
        text += std::string(text.size() > 1 ? ", " : "") + "\"" + known.name + "\": " + (options.*known.field ? "true" : "false");
    return text + "}";
}

std::string parse(int argc, char** argv, Arguments& a) {
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        if (flag(word, a)) continue;
        const std::map<std::string, Take> known = takes_value(a);
        const auto take = known.find(word);
        if (take == known.end()) return "unknown argument " + word;
        if (i + 1 == argc) return word + " needs a value";
        if (!take->second(argv[++i])) return word + " cannot be " + argv[i];
    }
    return check(a);
}
