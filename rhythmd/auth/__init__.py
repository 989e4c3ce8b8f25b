"""Authentication: accounts, passwords, sessions, tokens and logins through other sites. `Auth` holds it together.

Nothing here knows HTTP, but for the client in `rhythmd.auth.oauth` that talks to other sites.
"""
