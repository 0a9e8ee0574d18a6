"""The clients of every contract as Locust users, one file a contract."""
