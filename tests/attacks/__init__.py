"""The attacks on the books, each tried on every PostgreSQL as the role that owns the schema."""
