"""HTTP beside the hub, on aiohttp's protocol: one module a resource, one table of routes."""
