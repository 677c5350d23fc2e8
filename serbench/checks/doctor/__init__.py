"""What serbench is installed with here, what it can use, and what is broken or missing."""
