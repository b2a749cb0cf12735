"""Turns quotes of paired markets into opportunities and signed, hedged intents."""
