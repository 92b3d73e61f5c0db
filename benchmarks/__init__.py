"""The figures of docs/benchmarks.md, as ratios beside their floors and beside what people would use instead: `make bench`."""
