"""The guard for anybody's splits: what two parts of a fold share, and should not."""
