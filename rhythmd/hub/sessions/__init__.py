"""Sessions: clients with their users, connected or away, and the room that each of them is in.

What a message means does not belong here (`handlers/`), nor what outlives the process (`keeping/`).
"""
