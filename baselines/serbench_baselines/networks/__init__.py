"""The networks of the students, each in a module that is imported when the student is built."""
