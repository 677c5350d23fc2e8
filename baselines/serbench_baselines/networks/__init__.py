"""The networks of the students, a module each, imported when a student is built."""
