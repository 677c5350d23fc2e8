"""A small source-filter synthesiser of emotional pseudo-speech, deterministic to the last bit."""
