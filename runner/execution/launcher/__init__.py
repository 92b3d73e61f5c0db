"""The process that cron starts becomes the launcher: it forks children for another process, which decides and records."""
