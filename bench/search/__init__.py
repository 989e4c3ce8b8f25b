"""A made-up library of sheet music, what players search in it for, and two ways to find it.

Timing is here as well; what is reported of it is in `bench.commands.search`.
"""
