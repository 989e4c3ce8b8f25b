"""Real sheet music, and what other libraries read in it."""
