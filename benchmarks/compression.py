"""What pruned nets still get right after training: half and a quarter of the MACs, beside the same architectures with fresh weights.

python -m benchmarks.compression [CASE ...] [--minutes=N] [--seeds=N] [--arms=pruned,scratch] [--again] [--no-test]

The arms of a seed train side by side, on an equal share of the cores. Everything is chosen on held-out training pictures; the test pictures
are counted once, after the training, and not at all with `--no-test`. A run that was killed goes on from its checkpoint.
"""

import os
import shutil
import subprocess
import sys
from functools import partial

from benchmarks.compression_arms import ARMS, Case, folder_of, right_answers, tested, train
from benchmarks.compression_data import FLOWERS, RESNET8, RESNET20, RESNET56, data_paths, opened
from benchmarks.results import Results, again, wanted

RESNET8_TRAINING = (("distill", "logits"), ("views", 16), ("choose", "loss"), ("patience", 1000))
"""Loss and rates were found on 23,000 of the training pictures, judged on the other 2,000."""

THINET = (("score", "thinet"),)
"""Of ten ways (ResNet20) and eight (ResNet56) the one that kept most right of 3,000 training pictures, repaired and not yet trained."""

BLENDED = (("distill", "logits"), ("blend", True), ("choose", "loss"))
"""Tried elsewhere on a teacher of 20,000 of the training pictures, judged on 5,000 that neither had seen: with pictures always new, 56
epochs bring a ResNet20 of half the MACs within 0.7 points of its teacher, blended or not; with eight views of each it stays 1.3 below."""

TAYLOR = (("score", "taylor"), ("scope", "global"))
"""Of five ways the one that kept most right on 307 held-out training pictures of flowers, repaired and not yet trained."""

CASES = {
    "resnet8-half": Case(RESNET8, 0.5, 84.5, 60, (80, 84), channel_step=4, over_scratch=1.0, train=(*RESNET8_TRAINING, ("rate", 4e-3))),
    "resnet8-quarter": Case(RESNET8, 0.25, 80.0, 60, (64, 68), channel_step=4, over_scratch=1.0, train=(*RESNET8_TRAINING, ("rate", 8e-3))),
    "resnet20-half": Case(RESNET20, 0.5, 90.0, 60, (100, 0), pruning=THINET, train=(*BLENDED, ("rate", 2e-3))),
    "resnet56-half": Case(RESNET56, 0.5, 92.0, 360, pruning=THINET, train=(*BLENDED, ("rate", 1e-3))),
    "flowers": Case(FLOWERS, 0.575, 86.0, 30, (60, 60), pruning=TAYLOR, train=(("label_weight", 0.0), ("choose", "loss")), timed=True),
}


def option(name: str, default: str) -> str:
    """The value of `--name=value`."""
    return next((a.split("=", 1)[1] for a in sys.argv[1:] if a.startswith(f"--{name}=")), default)


def arms_of(case: Case) -> list[str]:
    """The arms of a case: those asked for, else the pruned net, and the control where there is one."""
    told = option("arms", "")
    return told.split(",") if told else ["pruned", *(["scratch"] if case.over_scratch is not None else [])]


def run_arms(name: str, arms: list[str], seed: int, minutes: str) -> None:
    """Train the arms of a seed at the same time, each in a process of its own with its share of the cores."""
    threads = str(max((os.cpu_count() or 1) // len(arms), 1))
    env = {**os.environ, "TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads, "OMP_NUM_THREADS": threads}
    word = [sys.executable, "-W", "ignore", "-m", "benchmarks.compression", "--one"]
    running = {arm: subprocess.Popen([*word, name, arm, str(seed), minutes], env=env) for arm in arms}
    failed = [arm for arm, process in running.items() if process.wait() != 0]
    if failed:
        raise RuntimeError(f"{name}, seed {seed}: {' and '.join(failed)} failed")


def measure(results: Results, name: str, case: Case) -> None:
    """Train what is missing of a case, then count."""
    minutes, arms = option("minutes", "0"), arms_of(case)
    for seed in range(int(option("seeds", str(case.seeds)))):
        if again():
            for arm in arms:
                shutil.rmtree(folder_of(name, arm, seed), ignore_errors=True)
                results.rows.pop(f"{name} {arm} {seed}", None)
        left = [arm for arm in arms if not (folder_of(name, arm, seed) / "row.json").exists()]
        if left:
            data_paths(case.model)
            run_arms(name, left, seed, minutes)
        for arm in arms if "--no-test" not in sys.argv else []:
            results.fill(f"{name} {arm} {seed}", partial(tested, name, case, arm, seed))
    if "--no-test" not in sys.argv:
        results.fill(f"{name} whole", lambda: right_answers((net := opened(case.model)).graph, net.test))


def main() -> None:
    """All cases, or those named."""
    if sys.argv[1:2] == ["--one"]:
        name, arm, seed, minutes = sys.argv[2:]
        assert arm in ARMS
        return train(name, CASES[name], arm, int(seed), float(minutes) or None)
    results = Results("compression")
    for name in wanted(list(CASES)):
        measure(results, name, CASES[name])
    return None


if __name__ == "__main__":
    main()
