"""What every package needs: the project's folder, the base of settings, crash-safe writing, and the error type."""
