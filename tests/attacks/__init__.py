"""The attacks on the books: on every PostgreSQL as the role that owns the schema, and on one as the application."""
