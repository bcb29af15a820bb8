"""The built-in plugins: a module or folder for each kind."""
