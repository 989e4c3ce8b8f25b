"""What each message of a client does. Whatever has to ask the store returns a coroutine, which the router runs.

Rights and rates do not belong here: the table of messages says who may send what, and what is charged.
"""
