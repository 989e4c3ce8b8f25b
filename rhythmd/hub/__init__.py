"""Sessions, rooms, notes and fan-out, each in a folder of its own with a rank; `hub.py` puts them together.

Sockets and databases do not belong here: `ports.py` and `rhythmd.ports` say what the hub wants of them.
"""
