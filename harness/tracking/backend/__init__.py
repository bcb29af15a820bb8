"""MLflow itself: stores, connections, limits and queries."""
