"""The built-in figures, a module an idea; none imports matplotlib, whose Figure each is handed."""
