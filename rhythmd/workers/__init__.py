"""Worker processes: a few of them, each with limits of time and memory, which read files that strangers send.

Here belongs how a job gets to a process and back. What a job does with its file does not: the table names it.
"""
