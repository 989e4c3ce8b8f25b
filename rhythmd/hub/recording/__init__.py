"""Recordings: when one begins and ends, how a tape becomes a file, and the archive of finished ones.

The tapes themselves run in the room (`rooms/tape.py`); the form of a MIDI file is in `rhythmd/midi/`.
"""
