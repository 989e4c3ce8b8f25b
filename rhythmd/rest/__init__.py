"""HTTP beside the hub, on aiohttp's protocol.

From the bottom: `serving`, `resources`, `table` (the rows of all routes), `app` (builds it).
"""
