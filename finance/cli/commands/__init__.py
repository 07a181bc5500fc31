"""The commands: each asks the library and hands the answer to be written."""
