"""One folder per process; services meet on streams, never in imports."""
