"""State that several nodes share through Redis."""
