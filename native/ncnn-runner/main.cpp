// Time one ncnn model (or two, turn by turn) in a process of its own, and print one JSON object; see README.md beside this file.
// Exit codes: 0 done, 2 bad arguments, 3 a model does not load, 4 a model cannot run. One line beginning "error: " on stderr says why.
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <memory>

#include "arguments.h"
#include "cpu.h"
#include "model.h"
#include "report.h"

namespace {

const long MARK = 0x6d78;  // no system call has this number; a counting emulator sees it, a kernel refuses it
enum Edge { BEGIN = 1, END = 2 };

int fail(const Fault& fault) {
    fprintf(stderr, "error: %s\n", fault.message.c_str());
    return fault.code;
}

double cpu_ms() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct Sample {
    double ms = 0, cpu = 0;
    Fault fault;
};

template <typename Work> Sample timed(const Work& work) {
    Sample sample;
    const double cpu = cpu_ms(), start = now_ms();
    sample.fault = work();
    sample.ms = now_ms() - start;
    sample.cpu = cpu_ms() - cpu;
    return sample;
}

Fault marked(Model& model) {
    syscall(MARK, BEGIN, -1);
    const Fault fault = model.infer();
    syscall(MARK, END, -1);
    return fault;
}

Fault marked_layers(Model& model) {
    return model.infer_layers([](int index, bool begins) { syscall(MARK, begins ? BEGIN : END, index); });
}

Fault timed_layers(Model& model, std::vector<double>& ms) {
    double start = 0;
    return model.infer_layers([&](int index, bool begins) {
        if (begins) start = now_ms();
        else ms[index] = now_ms() - start;
    });
}

std::vector<LayerTimes> layer_table(const Model& model) {
    std::vector<LayerTimes> table;
    for (int index : model.steps()) table.push_back({index, model.net.layers()[index]->type, model.net.layers()[index]->name, {}});
    const int count = (int)model.net.layers().size();
    table.push_back({count, "(outputs)", "", {}});
    table.push_back({count + 1, "(setup)", "", {}});
    return table;
}

// Goes on until all runs are done and all time has passed.
class Budget {
public:
    explicit Budget(const Arguments& a) : runs_(a.runs), end_(now_ms() + a.seconds * 1e3) {}
    bool left(size_t done) const { return done < (size_t)runs_ || now_ms() < end_; }

private:
    int runs_;
    double end_;
};

// The first inference ever, then the untimed ones.
Fault warm_up(const Arguments& a, Model& model) {
    const Sample first = timed([&] { return model.infer(); });
    model.first_ms = first.ms;
    Fault fault = first.fault;
    for (int i = 0; i < a.warmup && !fault.code; i++) fault = a.layers ? model.infer_layers([](int, bool) {}) : model.infer();
    return fault;
}

Fault series(const Arguments& a, Model& model, Measured& got) {
    if (a.layers) got.layers = layer_table(model);
    std::vector<double> ms(model.net.layers().size() + 2);
    const Budget budget(a);
    while (budget.left(got.ms.size())) {
        const Sample sample = timed([&] {
            if (a.layers) return a.marks ? marked_layers(model) : timed_layers(model, ms);
            return a.marks ? marked(model) : model.infer();
        });
        if (sample.fault.code) return sample.fault;
        got.ms.push_back(sample.ms);
        got.cpu_ms.push_back(sample.cpu);
        for (LayerTimes& layer : got.layers)
            if (!a.marks) layer.ms.push_back(ms[layer.index]);
    }
    return {};
}

// An untimed run brings the model's weights back into the caches before each timed one.
Sample own_turn(Model& model) {
    const Fault fault = model.infer();
    return fault.code ? Sample{0, 0, fault} : timed([&] { return model.infer(); });
}

Fault turns(const Arguments& a, Model& first, Model& second, Measured& got) {
    const Budget budget(a);
    while (budget.left(got.ms.size())) {
        const bool swapped = got.ms.size() % 2 == 1;
        const Sample early = own_turn(swapped ? second : first), late = own_turn(swapped ? first : second);
        if (early.fault.code || late.fault.code) return early.fault.code ? early.fault : late.fault;
        const Sample &mine = swapped ? late : early, &other = swapped ? early : late;
        got.ms.push_back(mine.ms);
        got.cpu_ms.push_back(mine.cpu);
        got.other_ms.push_back(other.ms);
        got.other_cpu_ms.push_back(other.cpu);
    }
    return {};
}

Fault work(const Arguments& a, const std::vector<Model*>& models, Measured& got) {
    for (size_t i = 0; i < models.size(); i++) {
        Fault fault = models[i]->load(a.models[i], a);
        if (!fault.code && !a.cold) fault = warm_up(a, *models[i]);
        if (fault.code) return fault;
    }
    Fault fault = models.size() > 1 ? turns(a, *models[0], *models[1], got) : series(a, *models[0], got);
    for (size_t i = 0; i < models.size() && !fault.code; i++) fault = models[i]->write(a.models[i]);
    return fault;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments a;
    const std::string wrong = parse(argc, argv, a);
    if (!wrong.empty()) return fail({2, wrong});
    if (a.cores >= 0 && ncnn::set_cpu_powersave(a.cores)) return fail({4, "this process cannot be pinned to these cores"});
    ncnn::set_omp_dynamic(0);
    ncnn::set_omp_num_threads(a.threads);
    std::vector<std::unique_ptr<Model>> owned;
    std::vector<Model*> models;
    for (size_t i = 0; i < a.models.size(); i++) {
        owned.push_back(std::make_unique<Model>());
        models.push_back(owned.back().get());
    }
    Measured got;
    const Fault fault = work(a, models, got);
    if (fault.code) return fail(fault);
    print(a, models, got);
    return 0;
}
