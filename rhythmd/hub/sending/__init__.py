"""From a message to its bytes at a client: encoding, fan-out, pacing, and what each client has been sent.

Rooms, users and rules do not belong here: this folder knows clients only as somebody to send to.
"""
