"""What can be asked for: one class a resource, with what its requests bring and its answers show.

A method takes a `Call` that has passed every check. Who may call, how often, and at which path is the table's matter.
"""
