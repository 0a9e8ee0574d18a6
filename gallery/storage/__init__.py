"""What is stored: tables of LanceDB, their locks, and the folder or object store that they are in."""
