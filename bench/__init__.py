"""Measurements of rhythmd and of the servers people write otherwise: `python -m bench --help`."""
