"""L5: recordings that are copies of one another though no sample is the same.

``fingerprint`` turns a waveform into words that survive gain, codecs, resampling, cuts and padding;
``candidates`` finds recordings that share them without looking at all pairs; ``compare`` holds
the waveforms against each other. ``near_duplicates`` does all of it for a corpus.
"""
