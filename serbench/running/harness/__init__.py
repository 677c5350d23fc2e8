"""Algorithm 1 of the protocol: nested, grouped, paired, sealed, certified."""
