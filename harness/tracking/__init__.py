"""What is recorded in MLflow and read back from it."""
