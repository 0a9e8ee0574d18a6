"""What others wrote that is installed here, and under which licences. The service does not import it."""
