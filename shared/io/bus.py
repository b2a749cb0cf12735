"""Redis as the bus: the ways to write and read streams, under one name."""

from shared.io.clients import BLOCK_MS, TRANSIENT, Client, Profile, connect, retried, waits_s
from shared.io.groups import Delivery, GroupReader, trim_behind_groups
from shared.io.leases import Lease, LeaseChange, Leases
from shared.io.outbox import Identity, Outbox, OutboxFull, Write
from shared.io.set_aside import SetAside
from shared.io.tails import Entry, StreamTail, Tail, last_id, load_latest

__all__ = [
    "BLOCK_MS",
    "TRANSIENT",
    "Client",
    "Delivery",
    "Entry",
    "GroupReader",
    "Identity",
    "Lease",
    "LeaseChange",
    "Leases",
    "Outbox",
    "OutboxFull",
    "Profile",
    "SetAside",
    "StreamTail",
    "Tail",
    "Write",
    "connect",
    "last_id",
    "load_latest",
    "retried",
    "trim_behind_groups",
    "waits_s",
]
