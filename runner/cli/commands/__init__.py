"""The commands, by what people want: `ticks` (run), `check`, `look`, `review`, `write`."""
