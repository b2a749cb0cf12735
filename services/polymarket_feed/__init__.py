"""The Polymarket feed: its public market data to the catalog and to quotes. It needs no key."""
