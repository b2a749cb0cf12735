"""Books, fees, arbitrage maths and pairs: pure values and functions, no I/O and no clock."""
