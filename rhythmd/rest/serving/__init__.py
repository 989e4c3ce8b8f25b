"""What serves any request: the way in and out, the checks before a handler, the forms of answers, the API's document.

What knows rooms, accounts or recordings belongs in `resources`; nothing here imports that, or the hub.
"""
