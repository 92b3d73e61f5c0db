"""The benchmarks of docs/benchmarks.md, as ratios to floors and to alternatives: `make bench`."""
