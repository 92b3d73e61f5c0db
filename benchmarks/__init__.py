"""The figures of DESIGN §10, as ratios beside their floors and beside what people would use instead. Run with `make bench`."""
