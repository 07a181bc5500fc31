"""Budgets, schedules and forecasts."""
