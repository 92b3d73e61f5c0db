"""What a run touches, when a person asks for that: `runner run ID --learn`."""
