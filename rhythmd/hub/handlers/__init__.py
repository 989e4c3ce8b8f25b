"""What the hub does with each message: one module a concern, one function a message.

A handler is plain `def (context, session, message)`. It returns what the `ack` shall carry (None: nothing), or raises
`Refused` or `ProtocolError`, which the router turns into an `error` for the sender.
"""
