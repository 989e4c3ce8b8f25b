"""Sockets: one port for everything, WebSocket connections, heartbeats. Talks to the hub through `hub.peer`."""
