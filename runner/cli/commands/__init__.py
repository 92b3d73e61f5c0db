"""The commands, grouped by purpose: `ticks` (run), `check`, `look`, `plan`, `review`, `write`."""
