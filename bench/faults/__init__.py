"""A network that fails between real clients and a real server, and players who must come through it unharmed."""
