"""The project's folder, the base class of settings that environment variables can set, and crash-safe writing."""
