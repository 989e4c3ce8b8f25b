"""The commands that take part in a room as any client does: `rhythmd play` and `rhythmd listen`."""
