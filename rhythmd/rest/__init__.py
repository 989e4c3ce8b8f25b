"""The aiohttp application beside the hub: one module a resource, one table of routes."""
