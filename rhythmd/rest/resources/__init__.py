"""What can be asked for: one class a resource, with what its requests bring and its answers show.

A method takes a `Call` that has passed every check. Checks and paths do not belong here: the table has them.
"""
