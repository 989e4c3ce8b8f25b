"""The library of sheet music: what a file of it says, and how it sounds.

Here belongs what is true of sheets and their files. Rooms, sockets, rows of stores and requests do not.
"""
