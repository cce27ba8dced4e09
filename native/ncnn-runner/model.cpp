#include "model.h"

#include <string.h>
#include <time.h>

#include <algorithm>

#include "arrays.h"
#include "datareader.h"

namespace {

// Weights that are all zero, of whatever size is asked for: structure files without weights can be timed and counted.
class ZeroReader : public ncnn::DataReader {
public:
    int scan(const char*, void*) const override { return 0; }
    size_t read(void* buffer, size_t size) const override {
        memset(buffer, 0, size);
        return size;
    }
};

}  // namespace

double now_ms() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

Fault Model::load(const ModelArguments& m, const Arguments& a) {
    net.opt.num_threads = a.threads;
    net.opt.blob_allocator = &blobs_;
    net.opt.workspace_allocator = &workspace_;
    for (const auto& [name, value] : m.options) set_option(net.opt, name, value);
    const double started = now_ms();
    Fault fault = open(m);
    load_ms = now_ms() - started;
    if (!fault.code) fault = feed(m, a);
    if (!fault.code) fault = choose(m);
    if (!fault.code) walk();
    return fault;
}

Fault Model::open(const ModelArguments& m) {
    if (net.load_param(m.param.c_str())) return {3, "cannot load " + m.param};
    const int failed = m.zero_weights ? net.load_model(ZeroReader()) : net.load_model(m.bin.c_str());
    return failed ? Fault{3, "cannot load " + (m.zero_weights ? "zero weights for " + m.param : m.bin)} : Fault{};
}

Fault Model::feed(const ModelArguments& m, const Arguments& a) {
    const std::vector<const char*>& names = net.input_names();
    for (size_t i = 0; i < names.size(); i++) {
        const auto shape = m.shapes.find(names[i]);
        if (shape == m.shapes.end()) return {2, std::string("the model has an input ") + names[i] + ": --input " + names[i] + "=C,H,W is needed"};
        const auto file = m.data.find(names[i]);
        in.push_back(file == m.data.end() ? filled(shape->second, a.fill ? &a.fill_value : nullptr) : from_file(shape->second, file->second));
        if (in.back().empty()) return {2, "the file of input " + shape->first + " does not hold exactly its float32 numbers"};
        inputs.push_back(names[i]);
        in_index_.push_back(net.input_indexes()[i]);
    }
    for (const auto& given : m.shapes)
        if (std::find(inputs.begin(), inputs.end(), given.first) == inputs.end()) return {2, "the model has no input " + given.first};
    return {};
}

Fault Model::choose(const ModelArguments& m) {
    if (m.outputs.empty()) {
        outputs.assign(net.output_names().begin(), net.output_names().end());
        out_index_ = net.output_indexes();
    }
    for (const std::string& name : m.outputs) {
        size_t at = 0;
        while (at < net.blobs().size() && net.blobs()[at].name != name) at++;
        if (at == net.blobs().size()) return {2, "the model has no blob " + name};
        outputs.push_back(name);
        out_index_.push_back((int)at);
    }
    for (const auto& wanted : m.out)
        if (std::find(outputs.begin(), outputs.end(), wanted.first) == outputs.end()) return {2, wanted.first + " is none of the outputs"};
    out.resize(outputs.size());
    return {};
}

void Model::walk() {
    std::vector<bool> needed(net.layers().size());
    std::vector<int> open;
    for (int blob : out_index_) open.push_back(net.blobs()[blob].producer);
    while (!open.empty()) {
        const int layer = open.back();
        open.pop_back();
        if (layer < 0 || needed[layer]) continue;
        needed[layer] = true;
        for (int blob : net.layers()[layer]->bottoms) open.push_back(net.blobs()[blob].producer);
    }
    for (size_t i = 0; i < needed.size(); i++)
        if (needed[i] && net.layers()[i]->type != "Input") steps_.push_back((int)i);
}

bool Model::start(ncnn::Extractor& extractor) const {
    for (size_t i = 0; i < in.size(); i++)
        if (extractor.input(in_index_[i], in[i])) return false;
    return true;
}

Fault Model::infer() {
    ncnn::Extractor extractor = net.create_extractor();
    if (!start(extractor)) return {4, "an input is refused"};
    for (size_t i = 0; i < out.size(); i++)
        if (extractor.extract(out_index_[i], out[i])) return {4, "output " + outputs[i] + " cannot be had: the model cannot run"};
    return {};
}

Fault Model::write(const ModelArguments& m) const {
    for (size_t i = 0; i < outputs.size(); i++) {
        const auto file = m.out.find(outputs[i]);
        if (file != m.out.end() && !write_file(flat(out[i]), file->second)) return {2, "cannot write " + file->second};
    }
    return {};
}
