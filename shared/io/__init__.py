"""Doors to the outside: Redis, WebSocket, HTTP and webhook."""
