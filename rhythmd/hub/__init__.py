"""Sessions, rooms, notes and fan-out. Knows no sockets: `peer` holds its ports to them."""
