"""Makes one checked table of utterances from a corpus plugin."""
