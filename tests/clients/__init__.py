"""Clients that others generate from the API's document, in their own languages. What the document itself says is
tested in `tests.rest`.
"""
