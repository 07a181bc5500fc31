"""The journal as a file, and back."""
