// What is printed: one JSON object.
#pragma once

#include <string>
#include <vector>

#include "arguments.h"
#include "model.h"

// One layer's time in every run, or none where marks were set.
struct LayerTimes {
    int index;
    std::string type, name;
    std::vector<double> ms;
};

struct Measured {
    std::vector<double> ms, cpu_ms;     // of the first model
    std::vector<double> other_ms, other_cpu_ms;  // of the second, other_ms[i] beside ms[i]
    std::vector<LayerTimes> layers;
};

void print(const Arguments& a, const std::vector<Model*>& models, const Measured& measured);
