"""Values → text for people, JSON for programs. Returns what is to be shown; only `cli` prints."""
