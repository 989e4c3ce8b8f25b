"""What outlives a room's members or the process: the two keepers of rooms, and how both are read again.

Rules do not belong here: a keeper writes down what a room has decided, before it is acknowledged.
"""
