"""The commands, by what people want: to run (`ticks`), to check (`check`), to look (`look`)."""
