"""The project's folder, the base class of settings that an environment variable can set, and writing files whole."""
