"""From a corpus plugin to one checked table of utterances."""
