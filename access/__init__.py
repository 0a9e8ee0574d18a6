"""Who may call, how often, and what is noted of it. Knows neither HTTP nor the routes."""
