"""From audio to trained students and heads, and their scores."""
