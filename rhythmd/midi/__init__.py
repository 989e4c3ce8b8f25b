"""MIDI without a hub: what a player holds, and Standard MIDI Files.

Here belongs what is true of MIDI anywhere. Rooms, sockets and the wire's messages do not.
"""
