"""Takes signed intents, checks them, journals before acting and says what became of them."""
