// Raw float32 arrays, slowest axis first, to and from ncnn's padded ones.
#pragma once

#include <string>
#include <vector>

#include "mat.h"

// An input of this shape, from a file, or all of one value, or of numbers that are the same on every machine; empty if the file does not fit.
ncnn::Mat filled(const std::vector<int>& shape, const float* value);
ncnn::Mat from_file(const std::vector<int>& shape, const std::string& path);

// The numbers without padding; `m` is unpacked float32.
std::vector<float> flat(const ncnn::Mat& m);

// Axes, slowest first.
std::vector<int> shape_of(const ncnn::Mat& m);

bool write_file(const std::vector<float>& values, const std::string& path);
