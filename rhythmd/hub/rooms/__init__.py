"""Rooms: members, seats, bans, chat, quotas, time, and the registry of all live rooms.

Sockets, logins and storage do not belong here: a room asks its keeper, and never knows which one it has.
"""
