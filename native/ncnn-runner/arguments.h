// What the command line asks for.
#pragma once

#include <map>
#include <string>
#include <vector>

// One model and what it is fed; a second one, behind --versus, is timed turn by turn with the first.
struct ModelArguments {
    std::string param, bin;
    bool zero_weights = false;
    std::map<std::string, std::vector<int>> shapes;    // by input, slowest axis first, without batch
    std::map<std::string, std::string> data;           // by input, file of raw float32
    std::vector<std::string> outputs;                  // asked for; all that no layer reads when empty
    std::map<std::string, std::string> out;            // by output, file to write as raw float32
    std::vector<std::pair<std::string, int>> options;  // of ncnn, 0 or 1
};

struct Arguments {
    std::vector<ModelArguments> models = std::vector<ModelArguments>(1);
    int threads = 1, warmup = 5, runs = 50;
    double seconds = 0;    // go on until so much time has passed, even after all runs
    bool fill = false;     // inputs without a file: one value, else seeded numbers
    float fill_value = 0;
    bool marks = false, layers = false;
    bool cold = false;     // nothing runs before the timed inferences
    int cores = -1;        // 0 all, 1 little, 2 big: pinned to these; -1 leaves the process where it is
};

// Reads argv; an empty string when all is well, else what is wrong.
std::string parse(int argc, char** argv, Arguments& a);

// Sets one of ncnn's options by its name in option.h; false where there is none of that name.
namespace ncnn { class Option; }
bool set_option(ncnn::Option& options, const std::string& name, int value);

// Names and values of all options that set_option knows, as a JSON object.
std::string options_json(const ncnn::Option& options);
