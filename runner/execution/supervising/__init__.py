"""The parent of children: it starts them, reads what they print, ends them in time, and removes what they leave."""
