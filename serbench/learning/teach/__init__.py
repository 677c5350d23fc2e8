"""Teachers inside the guard: cached label-free embeddings, heads, cross-fitted soft targets."""
