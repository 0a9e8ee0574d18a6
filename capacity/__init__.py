"""A model of the system: predicts rate, response times and utilisation, and plans replicas and nodes for a rate."""
