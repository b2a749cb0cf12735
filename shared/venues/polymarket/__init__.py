"""Polymarket's wire: schema, session, book hash and addresses, fed with bytes and free of I/O."""
