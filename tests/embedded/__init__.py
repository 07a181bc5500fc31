"""The embedded server: real ones, started and stopped the way that users do."""
