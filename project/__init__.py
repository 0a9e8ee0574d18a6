"""What every room needs: the project's folder, and the base of settings that an environment variable can set."""
