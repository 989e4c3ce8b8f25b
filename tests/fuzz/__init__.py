"""Coverage-guided fuzzing of every decoder: `python -m tests.fuzz all --runs 1000000`. Needs the extra `fuzz`."""
