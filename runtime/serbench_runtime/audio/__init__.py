"""Read audio in any format of libsndfile, as 16 kHz mono float32."""
