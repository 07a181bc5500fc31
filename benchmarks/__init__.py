"""What is measured, against whom: `make bench`, or `make bench NAME=P1` for one row."""
