// A loaded model, its inputs, and one inference.
#pragma once

#include <math.h>

#include <string>
#include <vector>

#include "allocator.h"
#include "arguments.h"
#include "net.h"

// What went wrong, and the exit code for it; code 0 is well.
struct Fault {
    int code = 0;
    std::string message;
};

class Model {
public:
    // Exit code 3 if the files do not load, 2 if inputs and outputs are not the file's.
    Fault load(const ModelArguments& m, const Arguments& a);

    // One inference, its outputs unpacked to float32; exit code 4 where the model cannot run.
    Fault infer();

    // The same layer by layer: `around` is called before (true) and after (false) each step with its index. Outputs stay packed between
    // steps. Steps behind the layers: unpacking the outputs, then everything else (the extractor made, the inputs set).
    template <typename Around> Fault infer_layers(const Around& around);

    // Indices of the layers that the outputs need, in order.
    const std::vector<int>& steps() const { return steps_; }

    Fault write(const ModelArguments& m) const;

private:
    ncnn::UnlockedPoolAllocator blobs_;  // as benchncnn; first, since all below holds memory of theirs
    ncnn::PoolAllocator workspace_;

public:
    ncnn::Net net;
    double load_ms = 0, first_ms = NAN;  // no first one with --cold
    std::vector<std::string> inputs, outputs;
    std::vector<ncnn::Mat> in, out;

private:
    Fault open(const ModelArguments& m);
    Fault feed(const ModelArguments& m, const Arguments& a);
    Fault choose(const ModelArguments& m);
    void walk();
    bool start(ncnn::Extractor& extractor) const;

    std::vector<int> in_index_, out_index_, steps_;
};

double now_ms();

template <typename Around> Fault Model::infer_layers(const Around& around) {
    const int unpacking = (int)net.layers().size(), setup = unpacking + 1;
    around(setup, true);
    ncnn::Extractor extractor = net.create_extractor();
    if (!start(extractor)) return {4, "an input is refused"};
    around(setup, false);
    for (int index : steps_) {
        ncnn::Mat packed;  // let go before the next layer, which may work in place
        around(index, true);
        const int failed = extractor.extract(net.layers()[index]->tops[0], packed, 1);
        around(index, false);
        if (failed) return {4, "layer " + net.layers()[index]->name + " cannot run"};
    }
    around(unpacking, true);
    for (size_t i = 0; i < out.size(); i++)
        if (extractor.extract(out_index_[i], out[i])) return {4, "output " + outputs[i] + " cannot be had"};  // one without boxes is empty
    around(unpacking, false);
    return {};
}
