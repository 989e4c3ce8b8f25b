"""HTTP: what serves requests, the resources that can be asked for, and the table of both; `app.py` puts them together.

Nothing else of the server belongs here: resources ask the hub and the services of `auth/`.
"""
