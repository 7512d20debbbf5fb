"""Tables in files and in memory."""
