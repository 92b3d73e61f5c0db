"""One module a thing that people ask for. No printing: every operation returns a value, which `report` turns into text or JSON."""
