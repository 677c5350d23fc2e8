"""Reading audio: whatever libsndfile reads, as 16 kHz mono float32."""
