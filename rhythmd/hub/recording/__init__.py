"""Recordings: when one begins and ends, how a tape becomes a file, and the archive of finished ones.

The tapes themselves do not belong here, they run in the room (`rooms/tape.py`), nor does the form of a MIDI file.
"""
