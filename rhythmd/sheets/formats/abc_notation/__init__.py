"""ABC notation 2.1: the first tune of a file, its voices read line by line.

Here belongs what the text says. How a score sounds is the same for other formats, and not here.
"""
