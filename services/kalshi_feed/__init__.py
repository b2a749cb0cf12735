"""Kalshi's markets and books: discovery by REST to the catalog, books by WebSocket to the quotes."""
