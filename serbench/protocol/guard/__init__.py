"""The guard. The harness calls it; no plugin can.

Everything here trusts the corpus table and nothing else: what partitions, segments and records
say of themselves is held against the table.
"""
