"""The project's folder, and the base class of settings that an environment variable can set."""
