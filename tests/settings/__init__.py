"""Where a connection comes from: one test file for each module of finance.settings."""
