#include "arrays.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

namespace {

ncnn::Mat make(const std::vector<int>& s) {
    switch (s.size()) {
    case 1: return ncnn::Mat(s[0]);
    case 2: return ncnn::Mat(s[1], s[0]);
    case 3: return ncnn::Mat(s[2], s[1], s[0]);
    default: return ncnn::Mat(s[3], s[2], s[1], s[0]);
    }
}

size_t plane(const ncnn::Mat& m) {
    return (size_t)m.w * m.h * m.d;
}

ncnn::Mat from_values(const std::vector<int>& shape, const std::vector<float>& values) {
    ncnn::Mat m = make(shape);
    for (int q = 0; q < m.c && !m.empty(); q++)  // channels are padded apart
        memcpy((float*)m.data + q * m.cstep, values.data() + q * plane(m), plane(m) * sizeof(float));
    return m;
}

size_t count(const std::vector<int>& shape) {
    size_t n = 1;
    for (int axis : shape) n *= axis;
    return n;
}

}  // namespace

ncnn::Mat filled(const std::vector<int>& shape, const float* value) {
    std::vector<float> values(count(shape), value ? *value : 0.f);
    uint32_t state = 1;
    for (float& v : values) {
        if (value) break;
        state = state * 1664525u + 1013904223u;
        v = (float)(state >> 8) / 8388608.f - 1.f;
    }
    return from_values(shape, values);
}

ncnn::Mat from_file(const std::vector<int>& shape, const std::string& path) {
    std::vector<float> values(count(shape));
    FILE* file = fopen(path.c_str(), "rb");
    if (!file) return ncnn::Mat();
    const bool fits = fread(values.data(), sizeof(float), values.size(), file) == values.size() && fgetc(file) == EOF;
    fclose(file);
    return fits ? from_values(shape, values) : ncnn::Mat();
}

std::vector<float> flat(const ncnn::Mat& m) {
    std::vector<float> values;
    for (int q = 0; q < m.c; q++) {
        const float* p = (const float*)m.data + q * m.cstep;
        values.insert(values.end(), p, p + plane(m));
    }
    return values;
}

std::vector<int> shape_of(const ncnn::Mat& m) {
    switch (m.dims) {
    case 1: return {m.w};
    case 2: return {m.h, m.w};
    case 3: return {m.c, m.h, m.w};
    default: return {m.c, m.d, m.h, m.w};
    }
}

bool write_file(const std::vector<float>& values, const std::string& path) {
    FILE* file = fopen(path.c_str(), "wb");
    if (!file) return false;
    const bool written = fwrite(values.data(), sizeof(float), values.size(), file) == values.size();
    return fclose(file) == 0 && written;
}
