"""Sockets: one port for everything, WebSocket connections, heartbeats. It talks to the hub through `hub.ports`."""
