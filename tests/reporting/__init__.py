"""Reports of periods, compared with plain Python."""
