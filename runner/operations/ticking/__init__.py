"""The steps of a tick, from the check whether anything is due to the record of what ran."""
