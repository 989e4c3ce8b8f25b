"""What each message of a client does. Whatever has to ask the store returns a coroutine, which the router runs.

Who may send a message, and whether it is charged, does not belong here: the table of messages says so.
"""
