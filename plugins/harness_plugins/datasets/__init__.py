"""The built-in datasets: drawn from a formula, shipped with scikit-learn, or read from a file."""
