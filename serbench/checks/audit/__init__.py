"""The guard for any splits: what two parts of a fold share and should not."""
