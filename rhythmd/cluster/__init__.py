"""What several nodes share through Redis."""
