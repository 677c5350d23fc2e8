"""The networks of the students, imported when a student is built."""
