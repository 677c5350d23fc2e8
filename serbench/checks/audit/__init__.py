"""The audit of any splits: what two parts of a fold share but must not share."""
