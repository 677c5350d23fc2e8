"""L5: recordings that are copies of one another although no sample is the same.

``fingerprint`` turns a waveform into words that survive gain, codecs, resampling, cuts and padding.
``candidates`` finds recordings that share words without looking at all pairs. ``compare`` compares
two waveforms. ``near_duplicates`` does all of this for a corpus.
"""
