"""Access control: API keys, rate limits and the audit log. Imports neither an HTTP framework nor the routes."""
