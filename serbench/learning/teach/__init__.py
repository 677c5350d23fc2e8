"""Teachers under the guard's control: cached label-free embeddings, heads, cross-fitted soft
targets.
"""
