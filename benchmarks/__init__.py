"""The figures of DESIGN §10, as ratios beside their floors. Run with `make bench`."""
