"""The launcher, the process that cron starts. It forks children for the decider, which decides and records."""
