"""The scripts behind docs/benchmarks.md: each is `python -m benchmarks.NAME`, writes results/NAME.json and resumes where it stopped."""
